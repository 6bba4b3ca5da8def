"""The content of the database, compared with the rows of the parquet files."""

import hashlib
import json
import math
from collections import Counter

import pytest

from dataset_builders import sql
from dataset_builders.database import build_database, open_database
from dataset_builders.schema import FEATURES
from dataset_builders.sql.run import query, statistics
from support.quality_folder import rows
from support.queries import dicts


@pytest.fixture
def connection(database):
    with open_database(database, threads=1) as opened:
        yield opened


@pytest.mark.parametrize(
    ("table", "config", "elsewhere"),
    [
        ("dialogs", "dialogues", {"turns", "messages", "message_count"}),
        ("pairs", "pairs", {"context", "negative"}),
        ("downstream", "downstream", set()),
    ],
)
def test_tables_hold_every_column_of_every_row(connection, folder, table, config, elsewhere):
    key = sql.KEYS[table][0]
    actual = {row[key]: row for row in dicts(connection, f"FROM {table}")}
    expected = rows(folder, config)
    assert len(actual) == len(expected)
    columns = {*FEATURES[config], "split"} - elsewhere
    for row in expected:
        assert {name: actual[row[key]][name] for name in columns} == {name: row[name] for name in columns}


def test_turns_are_the_dialogues(connection, folder):
    turns = dicts(connection, "FROM turns ORDER BY dialogue_id, turn_index")
    dialogues = sorted(rows(folder, "dialogues"), key=lambda row: row["dialogue_id"])
    expected = [
        {
            "dialogue_id": row["dialogue_id"],
            "turn_index": index,
            **{name: row[name] for name in ("source", "split", "language")},
            **turn,
            "words": len(turn["text"].split()),
            "characters": len(turn["text"]),
            "text_key": int(hashlib.sha256(turn["text"].encode()).hexdigest()[:15], 16),
        }
        for row in dialogues
        for index, turn in enumerate(row["turns"])
    ]
    assert turns == expected


def test_derived_columns(connection, folder):
    dialogues = {row["dialogue_id"]: row for row in rows(folder, "dialogues")}
    for row in dicts(connection, "FROM dialogs"):
        turns = dialogues[row["dialogue_id"]]["turns"]
        texts = [turn["text"] for turn in turns]
        intents = {entry["intent"] for turn in turns for entry in turn["annotations"]["state"]} - {None}
        assert row["dialog_text"] == "\n".join(texts)
        assert row["turn_count"] == len(texts)
        assert row["words"] == sum(len(text.split()) for text in texts)
        assert row["characters"] == sum(map(len, texts))
        assert row["intents"] == sorted(intents)
    assert any(row["intents"] for row in dicts(connection, "FROM dialogs"))
    pairs = {row["pair_id"]: row for row in rows(folder, "pairs")}
    for row in dicts(connection, "FROM pairs JOIN pair_contexts USING (pair_id) WHERE hash(pair_id) % 8 = 0"):
        pair = pairs[row["pair_id"]]
        assert row["context"] == pair["context"]
        assert row["context_turns"] == len(pair["context"])
        for side in ("anchor", "positive"):
            assert row[f"{side}_words"] == len(pair[side].split())
            assert row[f"{side}_characters"] == len(pair[side])


def test_columns_of_the_first_platform(connection):
    """`dialogs(dialog_text, split_name, dataset_name)`, `pairs(first_utterance, ...)`, `downstream(utterance, ...)`."""
    for one, other in (
        ("SELECT dialog_text, split_name, dataset_name FROM dialogs", "SELECT dialog_text, split, source FROM dialogs"),
        (
            "SELECT first_utterance, second_utterance, split_name, dataset_name FROM pairs",
            "SELECT anchor, positive, split, source FROM pairs",
        ),
        (
            "SELECT utterance, label, split, language, dataset_name FROM downstream",
            "SELECT utterance, label, split, language, source FROM downstream",
        ),
    ):
        aliased = connection.execute(one).fetchall()
        assert aliased
        assert aliased == connection.execute(other).fetchall()


def test_keys_and_types(connection):
    keys = dict(
        connection.execute(
            "SELECT table_name, constraint_column_names FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY'"
        ).fetchall()
    )
    assert {name: tuple(columns) for name, columns in keys.items() if name in sql.KEYS} == sql.KEYS
    assert {"sources", "source_rows", "leaks", "duplicates", "runs", "contents"} <= keys.keys()
    types = {row["column_name"]: row["column_type"] for row in dicts(connection, "DESCRIBE turns")}
    assert types["turn_index"] == "INTEGER"
    assert types["annotations"].startswith("STRUCT(acts STRUCT(act VARCHAR")
    orphans = "SELECT count(*) FROM {} ANTI JOIN dialogs USING (dialogue_id)"
    assert [connection.execute(orphans.format(name)).fetchone() for name in ("pairs", "turns")] == [(0,), (0,)]


def test_metrics_are_those_of_the_quality_report(connection, folder):
    counted = statistics(folder)
    assert set(counted) == set(sql.queries("metrics"))
    for name, expected in counted.items():
        assert query(connection, name) == expected, name


def test_aggregates_add_up_under_any_filter(connection):
    """Counts by source, split and language, so that a filter is a sum over fewer rows."""
    condition = "split <> 'test' AND language = 'en' AND source <> 'woz'"
    for aggregate, number, table in (
        ("dialogue_histograms WHERE measure = 'turns'", "dialogues", "dialogs"),
        ("utterance_histograms WHERE measure = 'words'", "utterances", "turns"),
        ("pair_lengths WHERE true", "pairs", "pairs"),
        ("pair_histograms WHERE measure = 'characters' AND side = 'positive'", "pairs", "pairs"),
        ("label_counts WHERE true", "rows", "downstream"),
        ("downstream_histograms WHERE measure = 'words'", "rows", "downstream"),
        ("row_counts WHERE config = 'pairs'", "rows", "pairs"),
    ):
        added = connection.execute(f"SELECT sum({number}) FROM {aggregate} AND {condition}").fetchone()
        counted = connection.execute(f"SELECT count(*) FROM {table} WHERE {condition}").fetchone()
        assert added == counted, aggregate
        assert counted[0]
    words = dict(
        connection.execute("SELECT word, sum(occurrences) FROM word_counts WHERE source = 'sgd' GROUP BY 1").fetchall()
    )
    texts = connection.execute("SELECT text FROM turns WHERE source = 'sgd'").fetchall()
    assert words["the"] == sum(
        Counter(text.lower().replace("?", " ").replace(".", " ").replace(",", " ").split())["the"] for (text,) in texts
    )


@pytest.mark.parametrize(
    "condition", ["true", "source = 'sgd'", "split <> 'test' AND language = 'en'", "source = 'no'"]
)
def test_distinct_answers_are_those_of_the_pairs_under_any_filter(connection, condition):
    within = f"SELECT DISTINCT place_set, answers FROM answer_places WHERE {condition}"
    added = connection.execute(f"SELECT coalesce(sum(answers), 0) FROM ({within})").fetchone()
    assert added == connection.execute(f"SELECT count(DISTINCT answer_id) FROM pairs WHERE {condition}").fetchone()


def test_lengths(connection, folder):
    lengths = sorted(
        len(t["text"].split()) for d in rows(folder, "dialogues") for t in d["turns"] if d["source"] == "sgd"
    )
    (row,) = dicts(connection, "FROM lengths WHERE what = 'words per utterance' AND source = 'sgd' AND split IS NULL")
    assert row["number"] == len(lengths)
    assert row["mean"] == pytest.approx(sum(lengths) / len(lengths))
    assert row["median"] == lengths[(len(lengths) - 1) // 2]
    assert row["p95"] == lengths[math.ceil(0.95 * len(lengths)) - 1]
    assert (row["smallest"], row["largest"]) == (lengths[0], lengths[-1])
    kinds = {row["what"] for row in dicts(connection, "FROM lengths")}
    assert kinds == {
        "turns per dialogue", "words per dialogue", "characters per dialogue", "words per utterance",
        "characters per utterance", "words per anchor", "words per positive", "characters per anchor",
        "characters per positive", "words per labelled utterance", "characters per labelled utterance",
    }  # fmt: skip


def test_facts_of_the_quality_report(connection, folder):
    report = json.loads((folder / "quality" / "report.json").read_text())
    sources = {row["source"]: row for row in dicts(connection, "FROM sources")}
    assert sources.keys() == report["sources"].keys()
    assert sources["banking77"]["kind"] == "downstream"
    assert sources["banking77"]["license"] == report["sources"]["banking77"]["license"]
    assert sources["sgd"]["title"]
    counts = {
        (row["config"], row["source"]): (row["rows_in"], row["rows_out"])
        for row in dicts(connection, "FROM source_rows")
    }
    assert counts == {(c, s): (n["in"], n["out"]) for c, of in report["rows"].items() for s, n in of.items()}
    leaks = connection.execute("SELECT rows FROM leaks WHERE stage = 'before' AND kind = 'text'").fetchall()
    assert sorted(leaks) == [(0,), (0,), (5,)]
    duplicates = {
        (row["config"], row["source"], row["also_in"]): row["rows"] for row in dicts(connection, "FROM duplicates")
    }
    assert duplicates["downstream", "banking77", "banking77"] == 4
    (run,) = dicts(connection, "FROM runs")
    assert run["dataset_fingerprint"] == report["fingerprint"]
    assert json.loads(run["options"]) == report["options"]
    assert run["rows"] == {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in sql.KEYS}
    described = {row["name"]: row for row in dicts(connection, "FROM contents")}
    views = {
        name for (name,) in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    }
    tables = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert described.keys() == views | tables - {"contents", "runs"}
    assert all(row["description"] for row in described.values())


@pytest.mark.real_data
@pytest.mark.slow
def test_counts_of_a_real_corpus(corpora, tmp_path, cache_dir):
    """Counts the raw files without our parsers: the table has each turn that was not dropped."""
    from dataset_builders.corpus.build import build_dataset

    raw = json.loads((corpora / "camrest676" / "CamRest676.json").read_text())
    build_dataset(["camrest676"], corpora, tmp_path / "built", cache_dir=cache_dir)
    build_database(tmp_path / "built", tmp_path / "real.duckdb")
    with open_database(tmp_path / "real.duckdb") as opened:
        turns = dict(opened.execute("SELECT original_id, turn_count FROM dialogs").fetchall())
        dropped = opened.execute("SELECT count(*) FROM drops WHERE config = 'dialogues'").fetchone()[0]
    true = {str(dialogue["dialogue_id"]): 2 * len(dialogue["dial"]) for dialogue in raw}
    assert len(turns) + dropped == len(true)
    assert all(true[name] == count for name, count in turns.items())
