"""The searches of the dashboard: by words and by meaning, without a page; and the tab that marks rows."""

import hashlib
import json

import numpy as np
import pytest

pytest.importorskip("streamlit", reason="install the extra `dashboard`")

import duckdb
from typer.testing import CliRunner

from cube_model.vectors.folder import shard_name, write_shard
from cube_model.vectors.keys import cache_keys
from dataset_builders.common.decisions import read_decisions, text_digest
from dataset_builders.common.errors import DataError
from dataset_builders.dashboard.filters import Filters
from dataset_builders.dashboard.reading.hits import marked_html
from dataset_builders.dashboard.search.by_meaning import Vectors, similar
from dataset_builders.dashboard.search.full_text import Search, Terms, page_of
from dialogue_cube import app

TURNS = {
    "tea/1": ["A cup of tea, please", "Black TEA or green tea?", "steak (rare) for 5$ a.b*"],
    "tea/2": ["Teatime at the train\nstation", "the station of trains"],
    "чай/3": ["Чашку ЧАЯ", "<script>alert('tea')</script>"],
}

PAIRS = [
    ("tea/1#0", "A cup of tea, please", "Black TEA or green tea?", 0.9, ["glued_sentences"]),
    ("tea/1#1", "Black TEA or green tea?", "steak (rare) for 5$ a.b*", 0.2, []),
    ("tea/2#0", "Teatime at the train\nstation", "the station of trains", None, []),
]


@pytest.fixture(scope="module")
def ask():
    """Function that runs a query on a few rows and returns them."""
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE turns (dialogue_id VARCHAR, turn_index INTEGER, source VARCHAR, split VARCHAR, "
            "language VARCHAR, speaker VARCHAR, text VARCHAR, words INTEGER)"
        )
        for name, texts in TURNS.items():
            source, language = name.split("/")[0], "ru" if name.startswith("ч") else "en"
            for number, text in enumerate(texts):
                values = [name, number, source, "train", language, "user", text, len(text.split())]
                connection.execute("INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        connection.execute(
            "CREATE TABLE pairs (pair_id VARCHAR, dialogue_id VARCHAR, turn_index INTEGER, source VARCHAR, "
            "split VARCHAR, language VARCHAR, anchor VARCHAR, positive VARCHAR, anchor_speaker VARCHAR, "
            "positive_speaker VARCHAR, quality STRUCT(score FLOAT), flags VARCHAR[], pair_type VARCHAR, "
            "context_turns INTEGER, anchor_words INTEGER, positive_words INTEGER)"
        )
        for pair_id, anchor, positive, score, flags in PAIRS:
            values = [pair_id, pair_id.split("#")[0], 0, "tea", "train", "en", anchor, positive, "user", "system"]
            values += [score, flags, "consecutive", 0, len(anchor.split()), len(positive.split())]
            marks = ", ".join("?" * 10) + ", {'score': ?::FLOAT}, ?, ?, ?, ?, ?"
            connection.execute(f"INSERT INTO pairs VALUES ({marks})", values)

        def run(sql, parameters):
            cursor = connection.execute(sql, list(parameters))
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        yield run


def turns(ask, text, filters=None):
    search = Search("dialogues", Terms.parse(text), filters or Filters())
    rows = ask(*search.hits)
    hits = [f"{row['dialogue_id']} {row['turn_index']}" for row in rows]
    assert {row.pop("hits") for row in rows} <= {len(hits)}
    assert ask(*search.every) == rows
    return hits


def test_all_words_must_occur_and_whole_words_come_first(ask):
    assert turns(ask, "tea") == ["tea/1 1", "чай/3 1", "tea/1 0", "tea/1 2", "tea/2 0"]
    assert turns(ask, "tea green") == ["tea/1 1"]
    assert turns(ask, "tea -green -alert -cup") == ["tea/1 2", "tea/2 0"]
    assert turns(ask, "чая") == ["чай/3 0"]
    assert turns(ask, "nothing of it") == []
    assert turns(ask, "tea", Filters(language=("ru",))) == ["чай/3 1"]


def test_phrases_and_signs_of_regular_expressions_are_taken_literally(ask):
    assert turns(ask, '"train station"') == ["tea/2 0"]
    assert turns(ask, "train station") == ["tea/2 0", "tea/2 1"]
    assert turns(ask, "a.b*") == ["tea/1 2"]
    assert turns(ask, "(rare) 5$") == ["tea/1 2"]
    for text in ("[", "a{2", "\\", "'; DROP TABLE turns", '"', "?", "-"):
        assert turns(ask, text) in ([], ["tea/1 1"], list(turns(ask, "")))
    assert len(turns(ask, "")) == 7


def test_pairs_are_sorted_by_quality_and_filtered_by_flag(ask):
    def pairs(text, **options):
        return [row["pair_id"] for row in ask(*Search("pairs", Terms.parse(text), **options).hits)]

    assert pairs("", order="worst") == ["tea/1#1", "tea/1#0", "tea/2#0"]
    assert pairs("", order="best") == ["tea/1#0", "tea/1#1", "tea/2#0"]
    assert pairs("tea", order="worst", flag="glued_sentences") == ["tea/1#0"]
    assert pairs("cup green") == ["tea/1#0"]  # one word in each side
    assert pairs("green -cup") == ["tea/1#1"]


def test_of_too_many_hits_an_even_sample_is_ranked(ask, monkeypatch):
    search = Search("dialogues", Terms.parse("tea -alert"), Filters(language=("en",)))
    whole = ask(*search.hits)
    monkeypatch.setattr("dataset_builders.dashboard.search.full_text.RANKED", 1)
    part = ask(*search.hits)
    assert 0 < len(part) < len(whole) == 4
    places = [[whole.index(row)] for row in part]
    assert places == sorted(places)
    assert ask(*search.hits) == part
    assert [row["score"] for row in ask(*Search("pairs", Terms.parse("tea"), order="worst").hits)] == [0, 0, 0]


@pytest.mark.parametrize("text", [text for texts in TURNS.values() for text in texts])
@pytest.mark.parametrize("query", ["tea", "te ea", '"train station"', "ЧАЯ", "<script>", "a.b*"])
def test_what_is_highlighted_is_what_was_searched_and_nothing_is_html(text, query):
    terms = Terms.parse(query)
    pieces = list(terms.pieces(text))
    assert "".join(piece for piece, _ in pieces) == text
    wanted = {" ".join(word.split()).lower() for word in terms.wanted}
    for piece, is_match in pieces:
        assert is_match == any(word in " ".join(piece.lower().split()) for word in wanted)
    html = marked_html(text, terms)
    assert "<script" not in html
    assert html.count("<mark") == sum(is_match for _, is_match in pieces)


def test_pages_that_do_not_exist_become_the_nearest_one():
    assert page_of(45, 3, 20) == (3, range(40, 45))
    assert page_of(45, 9, 20) == (3, range(40, 45))
    assert page_of(0, 0, 20) == (1, range(0))


class Letters:
    """An encoder that counts some letters."""

    name, fingerprint = "letters", "f" * 64

    def encode(self, texts, progress=False):
        counts = np.array([[text.lower().count(letter) + 0.01 for letter in "aegrtч"] for text in texts], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """Folder with the vectors of all turns, in two shards as `embed` writes them."""
    folder = tmp_path_factory.mktemp("vectors")
    texts = {text for each in TURNS.values() for text in each}
    by_key = sorted(zip(cache_keys(list(texts)), texts, strict=False))
    shards = []
    for number, part in enumerate((by_key[:3], by_key[3:])):
        name = shard_name(number, 2)
        write_shard(folder / name, [key for key, _ in part], Letters().encode([t for _, t in part]), "float16")
        shards.append({"file": name, "texts": len(part)})
    record = {"format": 1, "dimension": 6, "teacher": {"name": "letters", "fingerprint": Letters.fingerprint}}
    (folder / "vectors.json").write_text(json.dumps({**record, "shards": shards}))
    return folder


def test_meaning_is_compared_with_every_vector(ask, vectors):
    opened = Vectors.open(vectors)
    assert len(opened) == 7
    question, texts = "green tea", [text for each in TURNS.values() for text in each]
    cosines = dict(zip(texts, Letters().encode(texts) @ Letters().encode([question])[0], strict=True))
    rows = similar(opened, Letters(), question, "dialogues", Filters(), ask)
    assert [row["text"] for row in rows] == sorted(texts, key=lambda text: -cosines[text])
    assert rows[0]["score"] == pytest.approx(cosines[rows[0]["text"]], abs=1e-3)
    assert [r["text"] for r in similar(opened, Letters(), question, "dialogues", Filters(language=("ru",)), ask)] == [
        row["text"] for row in rows if row["dialogue_id"] == "чай/3"
    ]
    pairs = similar(opened, Letters(), question, "pairs", Filters(), ask)
    assert {row["anchor"] for row in pairs} == {anchor for _, anchor, *_ in PAIRS}
    assert {row["times"] for row in pairs} == {1}
    best = opened.best(Letters().encode([question])[0], 1)
    assert list(best) == [hashlib.sha256(rows[0]["text"].encode()).hexdigest()[:32]]


def test_the_keys_of_a_database_find_the_same_rows_without_hashing_every_text(ask, vectors):
    found = {}
    for kind, texts in (("dialogues", "turns"), ("pairs", "pairs")):
        search = (Vectors.open(vectors), Letters(), "green tea", kind, Filters(source=("tea",)), ask)
        found[kind] = similar(*search)
        ask(f"ALTER TABLE {texts} ADD COLUMN text_key BIGINT", [])
        assert similar(*search) == []
        text = "text" if kind == "dialogues" else "anchor"
        ask(f"UPDATE {texts} SET text_key = ('0x' || left(sha256({text}), 15))::BIGINT", [])
        assert similar(*search) == found[kind]
        ask(f"ALTER TABLE {texts} DROP COLUMN text_key", [])
    assert all(found.values())


def test_filters_that_leave_few_texts_still_find_them(ask, vectors, monkeypatch):
    monkeypatch.setattr("dataset_builders.dashboard.search.by_meaning.MOST", 1)
    rows = similar(Vectors.open(vectors), Letters(), "black tea", "dialogues", Filters(language=("ru",)), ask)
    assert [row["dialogue_id"] for row in rows] == ["чай/3"]


def test_other_vectors_are_refused(ask, vectors, tmp_path):
    other = Letters()
    other.fingerprint = "0" * 64
    with pytest.raises(DataError, match="vectors of letters"):
        similar(Vectors.open(vectors), other, "tea", "dialogues", Filters(), ask)
    record = json.loads((vectors / "vectors.json").read_text())
    (tmp_path / "vectors.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="missing or damaged"):
        Vectors.open(tmp_path).best(np.zeros(6, np.float32), 1)
    record["shards"][0]["file"] = "../secret.safetensors"
    (tmp_path / "vectors.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="outside the folder"):
        Vectors.open(tmp_path)


def button(at, key):
    return next(each for each in at.button if each.key == key)


def test_a_hit_is_opened_and_marked(page, settings, tmp_path):
    path = tmp_path / "decisions.jsonl"
    settings(decisions=str(path))
    at = page(tab="search", **{"in": "pairs", "q": "the"})
    assert not at.exception
    button(at, "open-1").click().run()
    assert at.query_params["hit"] == "2"
    button(at, "mark-bad_pair").click().run()
    (first,) = read_decisions(path)
    assert (first.config, first.decision) == ("pairs", "bad_pair")
    assert len(first.text) == len(text_digest(""))
    button(at, "search.next").click().run()
    button(at, "mark-personal_data").click().run()
    assert sorted((d.config, d.decision) for d in read_decisions(path)) == [
        ("dialogues", "personal_data"),
        ("pairs", "bad_pair"),
        ("pairs", "personal_data"),
    ]
    button(at, "mark-withdrawn").click().run()
    assert read_decisions(path).rows == (first,)
    assert not at.exception


def dropped_rows():
    """A page with the buttons of three dropped rows."""
    from dataset_builders.dashboard.filters import Filters
    from dataset_builders.dashboard.page import Page
    from dataset_builders.dashboard.reading.marking import show_rescue
    from dataset_builders.dashboard.settings import Settings
    from dataset_builders.dashboard.store import Store
    from dataset_builders.dashboard.texts import load_texts

    settings = Settings.read()
    page = Page(Store.at(settings.database), Filters(), load_texts("en"), settings)
    for check in ("leak", "personal_data", "pair_length"):
        show_rescue(page, {"config": "pairs", "row_id": f"sgd/{check}#0", "filter": check})


def test_a_dropped_row_is_rescued_unless_nobody_may_decide_that(settings, tmp_path):
    from streamlit.testing.v1 import AppTest

    path = tmp_path / "decisions.jsonl"
    settings(decisions=str(path))
    at = AppTest.from_function(dropped_rows).run()
    assert [caption.value.startswith("No mark brings") for caption in at.caption] == [True, True, False]
    button(at, "rescue-mark-keep").click().run()
    assert [(d.config, d.id, d.decision) for d in read_decisions(path)] == [("pairs", "sgd/pair_length#0", "keep")]
    button(at, "rescue-mark-withdrawn").click().run()
    assert not read_decisions(path)
    assert not at.exception
    settings()
    assert not AppTest.from_function(dropped_rows).run().caption


def test_the_page_is_read_only_without_the_option(page):
    at = page(tab="search", **{"in": "pairs", "q": "the", "hit": "1"})
    assert button(at, "search.next")
    assert not [each for each in at.button if (each.key or "").startswith("mark-")]


def test_a_wrong_file_of_decisions_is_refused_before_the_page_is_served(database, tmp_path):
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("Chapter one")
    command = ["dashboard", "--database", str(database), "--decisions", str(thesis)]
    for options, message in (((), "pass both"), (("--annotate",), "thesis.txt")):
        result = CliRunner().invoke(app, [*command, *options])
        assert isinstance(result.exception, DataError)
        assert message in str(result.exception)
    assert thesis.read_text() == "Chapter one"


def test_damaged_vectors_are_refused_before_the_page_opens(vectors, tmp_path):
    """A flipped bit would be another vector, without an error."""
    record = json.loads((vectors / "vectors.json").read_text())
    for shard in record["shards"]:
        content = (vectors / shard["file"]).read_bytes()
        shard["sha256"] = hashlib.sha256(content).hexdigest()
        (tmp_path / shard["file"]).write_bytes(content)
    (tmp_path / "vectors.json").write_text(json.dumps(record))
    Vectors.check(tmp_path)
    (tmp_path / shard["file"]).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DataError, match=r"vectors-00001-of-00002.safetensors: damaged or changed since it was written"):
        Vectors.check(tmp_path)
