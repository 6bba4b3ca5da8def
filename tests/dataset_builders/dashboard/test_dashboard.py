"""The tabs of the page on the invented sample: their figures are those of the database."""

import json
import re
import shutil

import duckdb
import pytest

from dataset_builders.database import build_database
from hub.invented import dialogue, pair, utterance, write_dataset
from support.dashboard_fixtures import TABS, figures

pytest.importorskip("streamlit", reason="install the extra `dashboard`")


@pytest.fixture(scope="module")
def ask(database, tmp_path_factory):
    # a copy, because DuckDB opens a file once per process, and the page has opened it with its own settings
    copy = shutil.copy(database, tmp_path_factory.mktemp("asked") / "copy.duckdb")
    with duckdb.connect(str(copy), read_only=True) as connection:
        yield lambda sql: connection.execute(sql).fetchone()


def charts(at):
    return len(at.get("vega_lite_chart"))


def hints(at):
    return " ".join(info.value for info in at.info).replace("\\", "")


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_is_drawn_in_russian_without_an_error(page, tab):
    at = page(tab=tab, lang="ru")
    assert not at.error
    assert not at.exception
    names = ["Диалоги", "Пары", "Намерения", "Качество", "Поиск", "Карта", "Обзор", "Сравнение", "Модель", "Ассистент"]
    names += ["Ход диалога", "Лицензии", "SQL"]
    assert [one.label for one in at.tabs] == names
    assert at.subheader[0].value == "Корпус диалогов"


def test_dialogs_figures_are_those_of_the_rows(page, ask):
    at = page()
    dialogues, turns, words, characters = ask(
        "SELECT count(*), sum(turn_count), sum(words), sum(characters) FROM dialogs"
    )
    shown = figures(at)
    assert shown["Dialogues"] == f"{dialogues:,}"
    assert shown["Utterances"] == f"{turns:,}"
    assert shown["Turns per dialogue (mean)"] == f"{turns / dialogues:.1f}"
    assert shown["Words per utterance (mean)"] == f"{words / turns:.1f}"
    assert shown["Characters per utterance (mean)"] == f"{characters / turns:.1f}"
    assert shown["Words per dialogue (mean)"] == f"{words / dialogues:.1f}"
    assert shown["Characters per dialogue (mean)"] == f"{characters / dialogues:.1f}"
    assert charts(at) == 8  # dataset, split, language, domain, three lengths, words
    assert len(at.image) == 1  # the word cloud
    assert not at.error
    assert not at.selectbox  # no row has metadata
    by_source = at.dataframe[0].value.set_index("source")
    assert by_source.loc["sgd", "dialogues"] == ask("SELECT count(*) FROM dialogs WHERE source = 'sgd'")[0]


def test_filters_act_on_figures_and_come_from_the_address(page, ask):
    at = page(source=["sgd", "woz"], split=["test"])
    expected = ask("SELECT count(*) FROM dialogs WHERE source IN ('sgd', 'woz') AND split = 'test'")[0]
    assert figures(at)["Dialogues"] == f"{expected:,}"
    assert at.multiselect("source").value == ["sgd", "woz"]
    at.multiselect("source").set_value(["sgd"]).run()
    expected = ask("SELECT count(*) FROM dialogs WHERE source = 'sgd' AND split = 'test'")[0]
    assert figures(at)["Dialogues"] == f"{expected:,}"


def test_unknown_names_in_the_address_are_ignored(page, ask):
    at = page(source=["no_such_corpus"], unit="furlongs", tab="nowhere", lang="xx")
    assert not at.error
    assert figures(at)["Dialogues"] == f"{ask('SELECT count(*) FROM dialogs')[0]:,}"


def test_pairs_figures_are_those_of_the_rows(page, ask):
    at = page(tab="pairs", split=["train"])
    pairs, answers, first, second = ask(
        "SELECT count(*), count(DISTINCT answer_id), avg(anchor_words), avg(positive_words) FROM pairs WHERE split = 'train'"
    )
    shown = figures(at)
    assert shown["Pairs"] == f"{pairs:,}"
    assert shown["Distinct second utterances"] == f"{answers:,}"
    assert shown["Words, first utterance (mean)"] == f"{first:.1f}"
    assert shown["Words, second utterance (mean)"] == f"{second:.1f}"
    whole = ask("SELECT count(DISTINCT answer_id) FROM pairs")[0]
    assert figures(page(tab="pairs"))["Distinct second utterances"] == f"{whole:,}"


def test_both_lengths_are_drawn_as_fields_or_points(page):
    fields, points = page(tab="pairs"), page(tab="pairs", joint="points")
    assert charts(fields) == charts(points)
    assert any("log scale" in caption.value for caption in fields.caption)
    assert any("One point" in caption.value for caption in points.caption)


def test_lengths_are_counted_in_the_unit_of_the_address(page):
    at = page(tab="pairs", unit="characters")
    specs = " ".join(chart.proto.spec for chart in at.get("vega_lite_chart"))
    assert "Length, characters" in specs
    assert "Length, words" not in specs


def test_downstream_figures_are_those_of_the_rows(page, ask):
    at = page(tab="downstream")
    rows, labels, languages, outside = ask(
        "SELECT count(*), count(DISTINCT label), count(DISTINCT language), count(*) FILTER (is_out_of_scope) FROM downstream"
    )
    shown = figures(at)
    assert (shown["Utterances"], shown["Labels"]) == (f"{rows:,}", f"{labels:,}")
    assert (shown["Languages"], shown["Out of scope"]) == (f"{languages:,}", f"{outside:,}")
    assert 0 < float(shown["Class balance"]) <= 1
    by_source = at.dataframe[0].value.set_index("source")
    balance = ask("SELECT class_balance FROM downstream_statistics WHERE source = 'banking77' AND split IS NULL")[0]
    assert by_source.loc["banking77", "class_balance"] == pytest.approx(balance)


def test_quality_counts_each_kind_of_rows_alone_and_explains_each_reason(page, ask):
    at = page(tab="quality")
    shown = figures(at)
    kept = ask("SELECT sum(rows_out) / sum(rows_in) FROM source_rows WHERE config = 'pairs'")[0]
    assert shown["Pairs: kept"] == f"{kept:.1%}"
    assert ask("SELECT sum(rows_in - rows_out) FROM source_rows")[0] == ask("SELECT count(*) FROM drops")[0]
    captions = " ".join(caption.value for caption in at.caption)
    assert "pairs such as “Yes.” → “OK.” teach nothing" in captions
    after = ask("SELECT coalesce(sum(rows), 0) FROM leaks WHERE stage = 'after'")[0]
    assert shown["Leaked rows, after"] == f"{after:,}"


def test_a_reason_opens_its_rows_and_the_address_opens_them_again(page, ask):
    at = page(tab="quality")
    config, name, number = ask("SELECT config, filter, count(*) FROM drops GROUP BY ALL ORDER BY ALL LIMIT 1")
    at.button(f"reason-{config}-{name}").click().run()
    assert at.query_params["rows"] == ["drops", f"config={config}", f"filter={name}"]
    rows = at.dataframe[-1].value
    assert len(rows) == min(number, 100)
    assert rows["text"].str.len().gt(0).all()
    again = page(tab="licences", rows=at.query_params["rows"])
    assert again.dataframe[-1].value["row_id"].tolist() == rows["row_id"].tolist()


def test_rows_of_an_address_are_those_that_were_counted(page, ask):
    flag, config, number = ask("SELECT flag, config, sum(rows) FROM flag_counts GROUP BY ALL ORDER BY ALL LIMIT 1")
    domain, dialogues = ask(
        "SELECT name, sum(dialogues) FROM domain_counts WHERE kind = 'domain' GROUP BY 1 ORDER BY 1"
    )
    cases = {
        (config, f"flag={flag}"): number,
        ("dialogues", f"domain={domain}"): dialogues,
        ("dialogues", "domain=–"): ask("SELECT count(*) FROM dialogs WHERE len(domains) = 0")[0],
        ("dialogues", "turns=4..6"): ask("SELECT count(*) FROM dialogs WHERE turn_count BETWEEN 4 AND 6")[0],
        ("pairs", "score=0.95.."): ask("SELECT sum(pairs) FROM score_counts WHERE round(score, 2) = 0.95")[0],
        ("clusters", "cluster_id=none"): 0,
        ("leaks", "leak=pair"): ask(
            "SELECT (SELECT count(*) FROM drops WHERE config = 'pairs' AND filter = 'leak') "
            "+ (SELECT count(*) FROM pairs WHERE list_contains(flags, 'leak:pair'))"
        )[0],
    }
    for rows, expected in cases.items():
        at = page(tab="flow", rows=list(rows))
        assert not at.error
        titles = " ".join(markdown.value for markdown in at.markdown)
        assert f"of {expected:,}; the CSV" in titles if expected else "No row matches" in hints(at), rows
    for rows in (["nowhere"], ["pairs", "1=1"], ["pairs", "score=x.."], ["leaks", "leak=no such"]):
        assert "names no rows" in hints(page(tab="flow", rows=rows))


def test_the_window_offers_to_filter_the_page(page):
    at = page(tab="flow", rows=["pairs", "source=sgd", "split=train"])
    at.button("filter-by-rows").click().run()
    assert (at.multiselect("source").value, at.multiselect("split").value) == (["sgd"], ["train"])
    assert "rows" not in at.query_params


def test_sql_is_read_only_and_answers_in_one_line(page, ask, monkeypatch, tmp_path):
    at = page(tab="sql", sql="FROM pairs")
    assert at.text_area("sql").value == "FROM pairs"
    assert len(at.dataframe) == 1  # a query of an address waits for the visitor

    def asked(query):
        at.text_area("sql").set_value(query)
        at.button[0].click().run()
        assert not at.exception
        return at.error[0].value.replace("\\", "") if at.error else at.dataframe[-1].value

    assert asked("SELECT count(*) FROM pairs").iat[0, 0] == ask("SELECT count(*) FROM pairs")[0]
    assert list(asked("SELECT 1 AS a, [2] AS a").columns) == ["a", "a (2)"]
    assert len(asked("FROM range(5000)")) == 1000
    assert any("First 1,000 rows" in markdown.value for markdown in at.markdown)
    target = tmp_path / "copy.csv"
    for query, message in {
        f"COPY (SELECT 1) TO '{target}'": "Cannot access file",
        f"WITH x AS (COPY (SELECT 1) TO '{target}') FROM x": "",
        "FROM read_csv('/etc/passwd')": "Cannot access file",
        "DROP TABLE pairs": "returns no rows",
        "SELECT 1; SELECT 2": "expected one SQL statement, found 2",
        "FROM pears": "did you mean pairs",
        "SELEC": "syntax error",
    }.items():
        error = asked(query)
        assert isinstance(error, str)
        assert message in error
        assert "\n" not in error
    assert not target.exists()
    monkeypatch.setattr("dataset_builders.dashboard.querying.SECONDS", 0.3)
    assert "stopped after 0.3 seconds" in asked("SELECT sum(a.range * b.range) FROM range(9000000) a, range(9000000) b")
    assert asked("SELECT 42 AS n").iat[0, 0] == 42


def test_quality_names_filters_that_do_not_apply(page):
    captions = " ".join(caption.value for caption in page(tab="quality", language=["en"]).caption)
    assert "Not filtered by language" in captions


def test_explorer_finds_by_text_domain_and_length(page, ask):
    text = ask(
        "SELECT split_part(text, ' ', 2) FROM turns WHERE length(split_part(text, ' ', 2)) > 3 ORDER BY ALL LIMIT 1"
    )[0]
    expected = ask(f"SELECT count(*) FROM dialogs WHERE contains(lower(dialog_text), lower('{text}'))")[0]
    at = page(tab="explorer", text=text.upper())
    assert f"of {expected:,} shown" in at.markdown[0].value
    domain = ask("SELECT name FROM domain_counts WHERE kind = 'domain' ORDER BY name LIMIT 1")[0]
    expected = ask(f"SELECT count(*) FROM dialogs WHERE list_contains(domains, '{domain}')")[0]
    at = page(tab="explorer", domain=[domain])
    assert f"of {expected:,} shown" in at.markdown[0].value
    at.slider[0].set_value((1, 4)).run()
    expected = ask(f"SELECT count(*) FROM dialogs WHERE list_contains(domains, '{domain}') AND turn_count <= 4")[0]
    assert f"of {expected:,} shown" in at.markdown[0].value if expected else "Nothing matches" in hints(at)


def test_explorer_reads_a_dialogue_with_its_annotations(page, ask):
    dialogue, turns = ask(
        "SELECT dialogue_id, turn_count FROM dialogs WHERE source = 'sgd' ORDER BY dialogue_id LIMIT 1"
    )
    at = page(tab="explorer", dialogue=dialogue)
    assert len(at.chat_message) == turns
    bodies = " ".join(html.proto.body for html in at.get("html"))
    assert 'title="' in bodies  # slots are marked in the text
    assert "INFORM" in bodies
    assert any("goal so far" in expander.label for expander in at.expander)


def test_explorer_finds_labelled_utterances(page, ask):
    label, expected = ask("SELECT label, count(*) FROM downstream GROUP BY label ORDER BY label LIMIT 1")
    at = page(tab="explorer", kind="downstream", label=[label])
    assert set(at.dataframe[0].value["label"]) == {label}
    assert len(at.dataframe[0].value) == min(expected, 200)


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ({"tab": "dialogs", "source": ["banking77"]}, "No dialogue matches the filters"),
        ({"tab": "pairs", "source": ["banking77"]}, "No pair matches the filters"),
        ({"tab": "downstream", "source": ["sgd"]}, "dialogue-cube build banking77"),
        ({"tab": "explorer", "text": "no such words anywhere"}, "Nothing matches"),
        ({"tab": "explorer", "source": ["banking77"]}, "Nothing matches"),
        ({"tab": "explorer", "source": ["sgd"], "kind": "downstream"}, "Nothing matches"),
        ({"tab": "explorer", "dialogue": "nowhere/1"}, "There is no dialogue nowhere/1"),
        ({"tab": "model"}, "dialogue-cube leaderboard"),
        ({"tab": "flow"}, "dialogue-cube flow"),
        ({"tab": "model"}, "python -m cube_model.train"),
    ],
)
def test_missing_data_shows_a_hint(page, address, hint):
    at = page(**address)
    assert not at.error
    assert hint in hints(at)


def test_licences_shares_and_terms(page, ask):
    at = page(tab="licences")
    share = ask("SELECT sum(rows) FILTER (redistributable) / sum(rows) FROM row_counts WHERE config = 'dialogues'")[0]
    assert figures(at)["Dialogues, redistributable share"] == f"{share or 0:.1%}"
    terms = at.dataframe[-1].value.set_index("source")
    assert terms.loc["sgd", "license"] == "CC-BY-SA-4.0"
    assert bool(terms.loc["sgd", "share_alike"])


@pytest.fixture(scope="module")
def with_metadata(tmp_path_factory):
    """A database of own data: one of three rows in each table is of the team "tea & milk", one of the team "sales"."""
    teams = [json.dumps({"team/name": name, "tier": number}) for number, name in enumerate(("tea & milk", "sales"))]
    facts = [{"metadata": text} for text in (*teams, None)]
    rows = {
        ("dialogues", "train"): [dialogue(str(n), f"Row {n} of tea", **fact) for n, fact in enumerate(facts)],
        ("pairs", "train"): [pair(str(n), f"Row {n} of tea", **fact) for n, fact in enumerate(facts)],
        ("downstream", "train"): [utterance(str(n), f"row {n}", **fact) for n, fact in enumerate(facts)],
    }
    folder = tmp_path_factory.mktemp("own")
    return build_database(write_dataset(folder / "data", rows), folder / "own.duckdb").path


def test_the_filter_by_metadata_acts_on_all_rows_and_comes_from_the_address(page, settings, with_metadata):
    settings(database=str(with_metadata))
    at = page(metadata="no such key", value=["sales"])
    assert figures(at)["Dialogues"] == "3"
    assert at.selectbox("metadata").options == ["team/name", "tier"]
    address = {"metadata": "team/name", "value": ["tea & milk"]}
    at = page(**address)
    assert [figures(at)[name] for name in ("Dialogues", "Utterances")] == ["1", "2"]
    assert figures(page(tab="pairs", **address))["Pairs"] == "1"
    assert page(tab="explorer", **address).dataframe[0].value["dialogue_id"].tolist() == ["tiny/0"]
    at = page(tab="quality", **address)
    assert not at.error
    assert "Not filtered by metadata" in " ".join(caption.value for caption in at.caption)


def test_the_filters_are_a_config_of_the_pipeline(database, tmp_path):
    from dataset_builders.dashboard.filters import Filters
    from dataset_builders.dashboard.sidebar import pipeline_config
    from dataset_builders.dashboard.store import Store
    from dataset_builders.pipeline.config import PipelineConfig

    file = tmp_path / "pipeline.yaml"
    file.write_text(pipeline_config(Store.at(str(database)), Filters(("sgd",), ("test", "train"), ("en",))))
    config = PipelineConfig.load(file)
    assert [name.split(":")[0] for name in config.sources] == ["sgd"]
    assert (config.splits, config.languages) == (("train", "test"), ("en",))


def test_a_page_started_without_the_command_shows_how_to_start_it(page, monkeypatch):
    from dataset_builders.dashboard.settings import VARIABLE

    monkeypatch.delenv(VARIABLE)
    at = page()
    assert not at.exception
    assert "dialogue-cube dashboard --database FILE" in at.error[0].value


def test_a_deleted_database_is_reported_in_one_line(page, settings, tmp_path):
    settings(database=str(tmp_path / "gone.duckdb"))
    at = page()
    assert not at.exception
    assert re.search(
        "no database .*gone.duckdb; make it: dialogue-cube database --data DIR", at.error[0].value.replace("\\", "")
    )
    assert str(tmp_path) not in at.error[0].value


def test_a_database_that_is_older_than_the_labels_one_by_one_is_shown(page, settings, database, tmp_path):
    old = tmp_path / "old.duckdb"
    shutil.copy(database, old)
    with duckdb.connect(str(old)) as connection:
        for table in ("downstream", "label_counts"):
            connection.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * EXCLUDE labels FROM {table}")
    shown = figures(page(tab="downstream"))
    settings(database=str(old))
    assert figures(page(tab="downstream")) == shown


def test_a_new_database_is_shown_without_a_restart(page, settings, database, tmp_path):
    own = tmp_path / "own.duckdb"
    shutil.copy(database, own)
    settings(database=str(own))
    at = page()
    before = figures(at)["Dialogues"]
    changed = tmp_path / "changed.duckdb"
    shutil.copy(database, changed)
    with duckdb.connect(str(changed)) as connection:
        connection.execute("UPDATE dialogue_histograms SET dialogues = dialogues * 2")
    changed.replace(own)
    assert figures(at.run())["Dialogues"] != before
