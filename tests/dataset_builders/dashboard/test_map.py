"""The command `map`, its tables, and the tab that shows them; the picture itself is tested in a browser."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("streamlit", reason="install the extra `dashboard`")
pytest.importorskip("openTSNE", reason="install the extra `dashboard`")

import duckdb
from typer.testing import CliRunner

from cube_model.vectors.folder import shard_name, write_shard
from cube_model.vectors.keys import cache_keys
from dataset_builders.dashboard.map.config import MapConfig
from dataset_builders.dashboard.map.layout import lay_out
from dataset_builders.dashboard.map.plane import Placed, payload
from dataset_builders.dashboard.map.points import draw_points
from dataset_builders.dashboard.map.regions import regions, telling_words, words_of
from dataset_builders.dashboard.map.rows import in_area, read_area
from dataset_builders.database import open_database
from dialogue_cube import app

TEXTS = """
SELECT DISTINCT text FROM (SELECT text FROM turns UNION ALL SELECT utterance FROM downstream) ORDER BY text
"""

POINTS = "SELECT * FROM map_points ORDER BY kind, point"


def vector_of(text):
    """A vector that similar texts share: hashed words."""
    vector = np.zeros(64, np.float32)
    for word in words_of(text) or {text}:
        vector[sum(word.encode()) % 64] += 1
    return vector / np.linalg.norm(vector)


def write_vectors(folder, texts):
    """Write vectors as `embed` does, in two shards."""
    keys = cache_keys(texts)
    order = sorted(range(len(texts)), key=lambda place: keys[place])
    shards = []
    for number, part in enumerate((order[: len(order) // 2], order[len(order) // 2 :])):
        name = shard_name(number, 2)
        vectors = np.stack([vector_of(texts[place]) for place in part])
        write_shard(folder / name, [keys[place] for place in part], vectors, "float32")
        shards.append({"file": name, "texts": len(part)})
    record = {"format": 1, "dimension": 64, "teacher": {"name": "words", "fingerprint": "w" * 64}, "shards": shards}
    (folder / "vectors.json").write_text(json.dumps(record))
    return folder


@pytest.fixture(scope="module")
def mapped(database, tmp_path_factory):
    """The sample with both maps, and the output of the commands."""
    folder = tmp_path_factory.mktemp("mapped")
    copy = Path(shutil.copy(database, folder / "sample.duckdb"))
    with duckdb.connect(str(copy), read_only=True) as connection:
        texts = [text for (text,) in connection.execute(TEXTS).fetchall()]
    (folder / "vectors").mkdir()
    write_vectors(folder / "vectors", texts[5:])
    printed = {kind: run(copy, kind) for kind in ("utterances", "dialogues")}
    return copy, printed


def run(database, kind, *options):
    result = CliRunner().invoke(
        app, ["map", "--database", str(database), "--kind", kind, "--fitted", "150", "--max-points", "300", *options]
    )
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_texts_that_occur_many_times_have_one_place():
    vectors = np.random.default_rng(0).normal(size=(80, 8)).astype(np.float32)
    vectors[:50:2] = vectors[50:] = vectors[0]  # more than the neighbours that decide on a place
    places = lay_out(vectors, 50, seed=0)
    assert np.isfinite(places).all()
    assert np.ptp(places[50:], axis=0).max() < 1e-6
    alike = places[:50:2]
    assert (places[50] >= alike.min(axis=0)).all()
    assert (places[50] <= alike.max(axis=0)).all()


def test_every_point_is_a_row_with_a_vector_and_a_place(mapped):
    database, printed = mapped
    with open_database(database) as connection:
        facts = {kind: json.loads(text) for kind, text in connection.execute("SELECT * FROM maps").fetchall()}
        points = connection.execute(POINTS).df()
        distinct = connection.execute(
            "SELECT count(*) FROM (SELECT source, text FROM turns UNION SELECT source, utterance FROM downstream)"
        ).fetchone()[0]
        missing = connection.execute(
            "SELECT count(*) FROM map_points LEFT JOIN turns ON dialogue_id = row_id AND "
            "turns.turn_index = coalesce(map_points.turn_index, 0) LEFT JOIN downstream ON utterance_id = row_id "
            "WHERE dialogue_id IS NULL AND utterance_id IS NULL"
        ).fetchone()[0]
        contents = connection.execute("SELECT count(*) FROM contents WHERE name LIKE 'map%'").fetchone()[0]
    utterances = points[points["kind"] == "utterances"]
    assert facts["utterances"]["rows"] == distinct > facts["utterances"]["points"] == len(utterances) == 300
    assert facts["utterances"]["without_vector"] >= 5  # the texts that the folder lacks
    assert facts["utterances"]["encoder"] == "words"
    assert missing == 0
    assert contents == 0  # an update of the database takes no map for its own
    assert points[["x", "y"]].min().min() >= 0
    assert max(points["x"].max(), points["y"].max()) == 1
    without = facts["utterances"]["without_vector"]
    assert f"300 of {distinct:,} utterances ({without:,} have no vector) by words" in printed["utterances"]


def test_the_same_seed_gives_the_same_map_and_another_one_another(mapped, tmp_path):
    database, _ = mapped
    copy = Path(shutil.copy(database, tmp_path / "again.duckdb"))
    vectors = ("--vectors", str(database.parent / "vectors"))
    tables = []
    for seed in ("0", "1"):
        run(copy, "utterances", "--seed", seed, *vectors)
        with duckdb.connect(str(copy), read_only=True) as connection:
            tables.append(connection.execute(f"SELECT * FROM ({POINTS}) WHERE kind = 'utterances'").fetchall())
    with duckdb.connect(str(database), read_only=True) as connection:
        assert connection.execute(f"SELECT * FROM ({POINTS}) WHERE kind = 'utterances'").fetchall() == tables[0]
    assert tables[0] != tables[1]
    assert len(tables[0]) == len(tables[1])  # replaced, not added


def test_a_dialogue_has_the_mean_vector_of_its_turns(mapped):
    database, _ = mapped
    config = MapConfig(database=database, kind="dialogues", max_points=20)
    with open_database(database) as connection:
        points = draw_points(connection, config)
        name = points.table["row_id"][3].as_py()
        turns = connection.execute("SELECT text FROM turns WHERE dialogue_id = ?", [name]).fetchall()
    known = sum(vector_of(text) for (text,) in turns)
    assert points.vectors[3] @ known / np.linalg.norm(known) == pytest.approx(1, abs=0.02)


def test_a_map_of_few_texts_and_damaged_vectors_is_refused_in_one_line(mapped, tmp_path):
    database, _ = mapped
    result = CliRunner().invoke(app, ["map", "--database", str(tmp_path / "no.duckdb")])
    assert result.exit_code != 0
    folder = write_vectors(tmp_path, ["a", "b", "c", "d"])
    result = CliRunner().invoke(app, ["map", "--database", str(database), "--vectors", str(folder)])
    assert "0 utterances have vectors, a map needs 20" in str(result.exception)
    next(folder.glob("*.safetensors")).write_bytes(b"none")
    result = CliRunner().invoke(app, ["map", "--database", str(database), "--vectors", str(folder)])
    assert "missing or damaged" in str(result.exception)


def test_clusters_are_around_peaks_and_named_by_their_own_words():
    rng = np.random.default_rng(0)
    centres = np.array([[0.2, 0.2], [0.8, 0.8]])
    places = np.concatenate([centre + rng.normal(0, 0.02, (50, 2)) for centre in centres])
    texts = ["the hotel please"] * 50 + ["the train please"] * 50
    clusters, found = regions(places, texts, 6.0)
    assert sorted(np.bincount(clusters).tolist()) == [50, 50]
    assert len(set(clusters[:50])) == 1
    assert {round(region.x, 1) for region in found} == {0.2, 0.8}
    # half of all texts has each word, so that none is three times as frequent as elsewhere
    assert [region.words for region in found] == [(), ()]
    shares = np.repeat([0, 1, -1], [10, 10, 80])
    assert telling_words([*texts[:10], *texts[50:60], *["the please"] * 80], shares, 2) == [("hotel",), ("train",)]


def test_words_of_all_scripts():
    assert words_of("Don’t book Hotel 5, отель") == {"don't", "book", "hotel", "отель"}
    assert words_of("我想订酒店 ok") == {"我想", "想订", "订酒", "酒店", "ok"}


def test_an_area_of_the_address_holds_the_points_inside():
    corners = read_area("0.0~9999.0~0.9999")  # the lower left half
    assert read_area("0.0~5.5") == read_area("") == read_area("a.b~1.1~2.2") == read_area("1.1~2.2~3.3) OR (1") == []
    places = [(x / 10 + 0.02, y / 10 + 0.02) for x in range(10) for y in range(10)]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE points (x DOUBLE, y DOUBLE)")
        connection.executemany("INSERT INTO points VALUES (?, ?)", places)
        inside = connection.execute(f"SELECT x, y FROM points WHERE {in_area(corners)}").fetchall()
    assert set(inside) == {(x, y) for x, y in places if x + y < 1}


def test_the_browser_gets_places_groups_and_hits():
    numbers = np.array([3, 5, 8], np.int32)
    x, y, codes = np.array([0, 1, 65535], np.uint16), np.array([7, 8, 9], np.uint16), np.array([0, 1, 0], np.uint8)
    sent = payload(Placed(numbers, x, y, codes, ("a", None), (2, 1), 0), {"names": ["ä"]}, np.array([5, 99]))
    length = int.from_bytes(sent[:4], "little")
    assert json.loads(sent[4 : 4 + length]) == {"names": ["ä"], "count": 3, "hits": True}
    body = sent[4 + -(-length // 4) * 4 :]
    assert body == x.tobytes() + y.tobytes() + codes.tobytes() + bytes([0, 1, 0])


def test_the_tab_shows_the_rows_of_an_area_a_search_and_a_point(mapped, settings, page):
    settings(database=str(mapped[0]))
    at = page(tab="map", area="0.0~9999.0~9999.9999~0.9999", colour="domain")
    assert not at.exception
    assert not at.error
    assert "Rows 1–50 of 300 in the area" in [text.value.strip("*").replace("\\", "") for text in at.markdown]
    at.text_input(key="light").set_value("hotel").run()
    hits = int(next(text.value for text in at.caption if "light up." in text.value).split()[0])
    assert 0 < hits < 300
    assert len(at.dataframe[0].value) == min(hits, 50)
    assert at.dataframe[0].value["text"].str.contains("hotel", case=False).all()
    at = page(tab="map", of="dialogues", point="0", lang="ru")
    assert not at.error
    assert len(at.chat_message) > 1


def test_the_tab_says_how_to_make_a_map(page):
    assert "dialogue-cube map --database" in page(tab="map").info[0].value
