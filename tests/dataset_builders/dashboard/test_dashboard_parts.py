"""Parts of the dashboard without a page: texts, filters, bins, marked slots, the command."""

import json
import re
import string
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("streamlit", reason="install the extra `dashboard`")

import duckdb
import pandas as pd

from dataset_builders.common.errors import DataError
from dataset_builders.corpus.counts import REPEATED
from dataset_builders.corpus.deciding import DECISION
from dataset_builders.dashboard.chat import with_slots
from dataset_builders.dashboard.compare.builds import EVERY
from dataset_builders.dashboard.compare.sources import LENGTHS
from dataset_builders.dashboard.filters import COLUMNS, Filters, Metadata
from dataset_builders.dashboard.lengths import bin_width, binned
from dataset_builders.dashboard.page import csv, file_name
from dataset_builders.dashboard.querying import EXAMPLES
from dataset_builders.dashboard.reasons import explained
from dataset_builders.dashboard.scope import on_rows
from dataset_builders.dashboard.search.explorer import utterances
from dataset_builders.dashboard.tabs.all import TABS
from dataset_builders.dashboard.tabs.downstream import LABELS, TOTALS, balance, per_source
from dataset_builders.dashboard.texts import LANGUAGES, load_texts
from dataset_builders.dashboard.words import cloud
from dataset_builders.quality.filters import FILTERS
from dataset_builders.schema import CONFIGS
from dataset_builders.sql.run import open_folder
from hub.invented import utterance, write_dataset

CODE = "\n".join(
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[3] / "dataset_builders" / "dashboard").rglob("*.py"))
)

TOOLS = {"title", "pan", "box", "lasso", "clear", "nearer", "farther", "whole"}

LEAKS = {"dialogue", "pair", "text", "benchmark", "translated dialogue", "translated text"}

GROUPS = {
    # by prefix of keys that the code composes: the names that it inserts
    "tab.": set(TABS),
    "filter.": {*COLUMNS, "value"},
    "config.": set(CONFIGS),
    "short.": set(CONFIGS),
    "speaker.": {"user", "system"},
    "leak.": LEAKS,
    "unit.": {"words", "characters"},
    "licences.": {"yes", "no", "unknown"},
    "explorer.": {"turns", "words"},
    "quality.": {"before", "after", *(f"kept_note_{config}" for config in CONFIGS)},
    "rows.": {*CONFIGS, "turns", "drops", "clusters", "leaks", "duplicates", "dropped", "flagged"},
    "reason.": {*FILTERS, "masked", REPEATED, DECISION, "leak", "benchmark", *(f"leak:{kind}" for kind in LEAKS)},
    "sql.": {*(f"example_{name}" for name in EXAMPLES), "shown", "shown_some"},
    "model.choose_": {"core", "leaderboard"},
    "map.": {"utterances", "dialogues", "shown_all", "shown_dialogues_all", *TOOLS},
    "compare.reason_": {"kept", "dialogue", *re.findall(r"'([a-z_]+)'", EVERY)},
    "compare.what_": {"sources", "builds", "encoders"},
    "compare.": {
        *(f"{name}{end}" for name in LENGTHS for end in ("", "_mean", "_median")),
        *("domains", "intents", "dataset_fingerprint", "package_version", "dataset_written"),
        *(f"{name}_of" for name in ("first", "second", "first_wins", "second_wins")),
    },
    "flow.": {"dialogues", "turns", "steps", "transitions"},
    "measure.": {"loss", "accuracy_1_of_100", "mean_cosine", "mean_cosine_to_teacher"},
    "pairs.": {"by_anchor_length", "by_positive_length", "fields", "points", "fields_note", "points_note"},
}


def test_both_languages_have_the_same_texts_with_the_same_values():
    english, russian = (load_texts(language).entries for language in LANGUAGES)
    assert set(english) == set(russian)
    for key in english:
        fields = [
            {name for _, name, _, _ in string.Formatter().parse(text[key]) if name} for text in (english, russian)
        ]
        assert fields[0] == fields[1], key
        assert english[key].strip()
        assert russian[key].strip()


def test_every_text_is_used():
    unused = []
    for key in load_texts("en").entries:
        group = next((group for group in GROUPS if key.startswith(group)), None)
        if f'"{key}"' in CODE or (group and key.removeprefix(group) in GROUPS[group]):
            continue
        # headings of columns: the code contains the name of the column alone
        if not (key.startswith("column.") and re.search(rf"\b{key.removeprefix('column.')}\b", CODE)):
            unused.append(key)
    assert not unused


def test_every_text_that_is_used_exists():
    entries = load_texts("en").entries
    keys = re.findall(r'\b(?:t|texts|nothing)\(\s*"([a-z_]+\.[a-z_]+)"', CODE)
    assert len(keys) > 100
    assert not [key for key in keys if key not in entries]


def test_russian_texts_are_russian():
    same = {"tab.sql", "column.mrr", "page.title"}
    texts = load_texts("ru").entries
    assert not [key for key, text in texts.items() if key not in same and not re.search("[а-яё]", text, re.IGNORECASE)]


def test_every_filter_and_flag_has_a_sentence_in_both_languages():
    for texts in map(load_texts, LANGUAGES):
        for name in (*FILTERS, "leak", "benchmark", REPEATED, DECISION, *(f"leak:{kind}" for kind in LEAKS)):
            assert explained(name, texts).endswith((".", ".”", ".»")), name
        assert explained("personal_data:email:masked", texts).startswith(explained("personal_data", texts))
        assert explained("a filter of my own", texts) == ""


@pytest.mark.parametrize(
    ("language", "value", "decimals", "shown"),
    [
        ("en", 1234567, None, "1,234,567"),
        ("en", 1234.56, None, "1,234.6"),
        ("en", 0.12345, 3, "0.123"),
        ("ru", 1234567.25, 2, "1\u00a0234\u00a0567,25"),
        ("en", float("nan"), None, "–"),
        ("ru", None, None, "–"),
    ],
)
def test_numbers_have_the_format_of_the_language(language, value, decimals, shown):
    assert load_texts(language).number(value, decimals) == shown


@pytest.mark.parametrize("prefix", ["", "WITH many AS (FROM turns) "])
def test_queries_on_rows_with_metadata(prefix):
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE dialogs (dialogue_id VARCHAR, metadata VARCHAR)")
        connection.execute("CREATE TABLE turns (dialogue_id VARCHAR, turn_index INTEGER)")
        key, value = "a/b~c'd\"e", "it's {so}"
        rows = [("one", json.dumps({key: value})), ("two", json.dumps({key: "other"})), ("three", None)]
        connection.executemany("INSERT INTO dialogs VALUES (?, ?)", rows)
        connection.execute("INSERT INTO turns SELECT dialogue_id, 0 FROM dialogs")
        query = on_rows(f"{prefix}SELECT dialogue_id FROM turns", Metadata(key, (value, "none")))
        assert connection.execute(query).fetchall() == [("one",)]


def test_filters_are_parameters_and_not_part_of_the_sql():
    filters = Filters(source=("sgd'; DROP TABLE dialogs",), language=("en",))
    where, parameters = filters.where(("source", "split"), "kind = 'domain'")
    assert where == "WHERE source IN (?) AND kind = 'domain'"
    assert parameters == ["sgd'; DROP TABLE dialogs"]
    assert filters.ignored(("source",)) == ["language"]
    assert Filters().where() == ("", [])


def test_a_language_covers_its_longer_tags():
    tags = ["de", "de-CH", "en", "en-US", "eno"]
    assert Filters(language=("en",)).with_longer_tags(tags).language == ("en", "en-US")


def test_bins_have_a_round_width_and_lose_no_row():
    frame = pd.DataFrame({"value": [*range(1, 400), 9000], "rows": [3] * 400})
    width, last = bin_width(frame["value"], frame["rows"])
    assert (width, last) == (10, 390)
    shown = binned(frame, {"value": (width, last)}, "rows")
    assert shown["rows"].sum() == 1200
    assert shown["value"].max() == last
    assert bin_width(pd.Series([1, 2, 3]), pd.Series([1, 1, 1])) == (1, 3)


def test_slots_are_marked_and_markup_is_quoted():
    slot = {"domain": "hotel", "slot": "name", "value": "<b>", "start": 8, "end": 11}
    nowhere = {"domain": None, "slot": "day", "value": "Monday", "start": None, "end": None}
    overlapping = {**slot, "start": 9, "end": 12}
    html = with_slots('I want "<b>" & more', [overlapping, nowhere, slot])
    assert "&lt;b&gt;</span>" in html
    assert 'title="hotel-name"' in html
    assert html.count("<span") == 1
    assert "<b>" not in html
    assert "&amp; more" in html


def test_a_word_in_a_cloud_is_as_wide_as_its_place_in_any_font():
    drawn = cloud.__wrapped__((("hotel", 9), ("酒店", 8), ("<b>", 7)))
    texts = re.findall("<text([^>]*)>([^<]*)</text>", drawn)
    assert {word for _, word in texts} == {"hotel", "酒店", "&lt;b&gt;"}
    assert [word for options, word in texts if "textLength" not in options] == ["酒店"]
    assert "@font-face" not in drawn


def test_class_balance_is_one_for_equal_labels():
    assert balance(pd.Series([5, 5, 5])) == pytest.approx(1)
    assert balance(pd.Series([99, 1])) == pytest.approx(0.0808, abs=1e-3)
    assert balance(pd.Series([7])) is None


def test_a_row_with_several_intents_is_found_and_counted_by_each(tmp_path):
    both = utterance("0", "move it, how much", label="spa/cost+spa/move", labels=["spa/cost", "spa/move"])
    rows = [both, utterance("1", "move it", label="spa/move"), utterance("2", "ten", label="spa/none", labels=[])]
    with open_folder(write_dataset(tmp_path / "data", {("downstream", "train"): rows})) as connection:
        totals, labels = (connection.execute(sql.format(where="")).df() for sql in (TOTALS, LABELS))
        query = utterances(Filters(), labels=("spa/cost",))
        found = connection.execute(query.first, list(query.parameters)).df()
    (row,) = per_source(totals, labels).to_dict("records")
    assert (row["rows"], row["labels"], row["smallest_label"], row["largest_label"]) == (3, 2, 1, 2)
    assert found["label"].tolist() == ["spa/cost+spa/move"]


def test_files_open_in_spreadsheets():
    assert csv(pd.DataFrame({"слово": ["чай"]})) == "\ufeffслово\nчай\n".encode()
    assert file_name("Dialogues by domain, the 25 most frequent") == "dialogues_by_domain_the_25_most_frequent"


@pytest.fixture
def command():
    import typer

    from dataset_builders.dashboard.command import dashboard

    app = typer.Typer()
    app.command()(dashboard)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def served(monkeypatch):
    """Options of the calls that would start the server."""
    import uvicorn

    calls = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: calls.append(options))
    return calls


def test_a_missing_database_is_built_and_the_page_served(command, served, sample_dataset, tmp_path, monkeypatch):
    from dataset_builders.dashboard.settings import VARIABLE, Settings

    monkeypatch.setenv(VARIABLE, "")
    file = tmp_path / "corpus.duckdb"
    for name in ("core", "evaluation", "flow", "assistant"):
        (tmp_path / name).mkdir()
    (tmp_path / "evaluation" / "leaderboard.json").write_text("{}")
    result = command("--database", file, "--data", sample_dataset, "--no-browser", "--port", 8763)
    assert result.exception is None
    assert file.is_file()
    assert (served[0]["host"], served[0]["port"]) == ("localhost", 8763)
    assert "http://localhost:8763" in result.output
    settings = Settings.read()
    assert settings.cores == (str(tmp_path / "core"),)  # what a pipeline put beside the database
    assert settings.leaderboards == (str(tmp_path / "evaluation" / "leaderboard.json"),)
    assert settings.flows == (str(tmp_path / "flow"),)
    assert settings.assistants == (str(tmp_path / "assistant"),)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (None, [], "no database .*; name the dataset to build it from: --data DIR"),
        (b"not a database", [], "cannot be opened as a database"),
        (None, ["--core", "nowhere"], "nowhere does not exist"),
    ],
)
def test_wrong_input_is_one_line(command, served, tmp_path, content, options, message):
    file = tmp_path / "some.duckdb"
    if content is not None:
        file.write_bytes(content)
    result = command("--database", file, *options)
    assert isinstance(result.exception, DataError)
    assert re.search(message, str(result.exception))
    assert "\n" not in str(result.exception)
    assert not served
    if content is not None:
        assert file.read_bytes() == content


def test_another_language_is_wrong_usage(command, served, tmp_path):
    result = command("--database", tmp_path / "some.duckdb", "--language", "de")
    assert result.exit_code == 2
    assert "'de' is not one of 'en', 'ru'" in result.output
    assert not served


def test_a_missing_extra_is_named(command, served, tmp_path, monkeypatch):
    from dataset_builders.dashboard import command as module

    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "plotly" else True)
    result = command("--database", tmp_path / "c.duckdb")
    assert "needs plotly; run: pip install 'dialogue-cube[dashboard]'" in str(result.exception)
    assert not served


def test_a_foreign_database_is_refused(command, served, tmp_path):
    import duckdb

    file = tmp_path / "other.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE mine (x INTEGER)")
    before = file.stat().st_mtime_ns
    time.sleep(0.01)
    result = command("--database", file)
    assert isinstance(result.exception, DataError)
    assert "not a database made by `dialogue-cube database`" in str(result.exception)
    assert file.stat().st_mtime_ns == before
    assert not served


def test_a_port_in_use_is_one_line(command, served, sample_dataset, tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        taken.listen()
        result = command(
            "--database", tmp_path / "c.duckdb", "--data", sample_dataset, "--port", taken.getsockname()[1]
        )
    assert isinstance(result.exception, DataError)
    assert "choose another --port" in str(result.exception)
    assert not served
