"""All numbers of the SQL statistics, compared with simple counts in Python."""

import math
import re
import shutil
from collections import Counter, defaultdict

import pyarrow.parquet as pq
import pytest

from dataset_builders import sql
from dataset_builders.common.errors import DataError
from dataset_builders.sql.run import open_folder, query, statistics
from hub.invented import utterance, write_dataset
from support.quality_folder import in_parts, rows, with_quality


@pytest.fixture(scope="module")
def folder(sample_dataset, tmp_path_factory):
    return with_quality(sample_dataset, tmp_path_factory.mktemp("statistics") / "a folder, [with] 'signs'*")


@pytest.fixture(scope="module")
def counted(folder):
    return statistics(folder)


@pytest.fixture(scope="module")
def data(folder):
    return {config: rows(folder, config) for config in ("dialogues", "pairs", "downstream")}


def groups(rows):
    """Rows by (source, split), (source, None) and (None, None)."""
    result = defaultdict(list)
    for row in rows:
        for key in ((row["source"], row["split"]), (row["source"], None), (None, None)):
            result[key].append(row)
    return result


def mean(numbers):
    numbers = list(numbers)
    return sum(numbers) / len(numbers)


def test_dialogues(counted, data):
    expected = groups(data["dialogues"])
    assert {(r["source"], r["split"]) for r in counted["dialogue_statistics"]} == set(expected)
    for row in counted["dialogue_statistics"]:
        dialogues = expected[row["source"], row["split"]]
        texts = [[turn["text"] for turn in dialogue["turns"]] for dialogue in dialogues]
        utterances = [text for dialogue in texts for text in dialogue]
        assert row["dialogues"] == len(dialogues)
        assert row["utterances"] == len(utterances)
        assert row["turns_per_dialogue"] == pytest.approx(mean(map(len, texts)))
        assert row["words_per_utterance"] == pytest.approx(mean(len(t.split()) for t in utterances))
        assert row["characters_per_utterance"] == pytest.approx(mean(map(len, utterances)))
        assert row["words_per_dialogue"] == pytest.approx(mean(sum(len(t.split()) for t in d) for d in texts))
        assert row["characters_per_dialogue"] == pytest.approx(mean(sum(map(len, d)) for d in texts))


def test_pairs(counted, data):
    expected = groups(data["pairs"])
    assert {(r["source"], r["split"]) for r in counted["pair_statistics"]} == set(expected)
    for row in counted["pair_statistics"]:
        pairs = expected[row["source"], row["split"]]
        questions = [p for p in pairs if (p["anchor_speaker"], p["positive_speaker"]) == ("user", "system")]
        assert row["pairs"] == len(pairs)
        assert row["question_answer"] == len(questions)
        assert row["distinct_answers"] == len({p["answer_id"] for p in pairs})
        assert row["anchor_words"] == pytest.approx(mean(len(p["anchor"].split()) for p in pairs))
        assert row["positive_words"] == pytest.approx(mean(len(p["positive"].split()) for p in pairs))
        scores = [p["quality"]["score"] for p in pairs if p["quality"] and p["quality"]["score"] is not None]
        assert row["score"] == (pytest.approx(mean(scores), abs=1e-5) if scores else None)


def test_downstream(counted, data):
    expected = groups(data["downstream"])
    assert {(r["source"], r["split"]) for r in counted["downstream_statistics"]} == set(expected)
    for row in counted["downstream_statistics"]:
        utterances = expected[row["source"], row["split"]]
        labels = Counter(r["label"] for r in utterances)
        assert row["rows"] == len(utterances)
        assert row["labels"] == len(labels)
        assert row["languages"] == len({r["language"] for r in utterances})
        assert row["out_of_scope"] == sum(r["is_out_of_scope"] for r in utterances)
        assert (row["smallest_label"], row["largest_label"]) == (min(labels.values()), max(labels.values()))
        assert row["words_per_utterance"] == pytest.approx(mean(len(r["utterance"].split()) for r in utterances))
        entropy = -sum(n / len(utterances) * math.log(n / len(utterances)) for n in labels.values())
        assert row["class_balance"] == (pytest.approx(entropy / math.log(len(labels))) if len(labels) > 1 else None)


def test_a_row_with_several_intents_counts_for_each(tmp_path):
    rows = [
        utterance("0", "move it", label="spa/move"),
        utterance("1", "move it, how much", label="spa/cost+spa/move", labels=["spa/cost", "spa/move"]),
        utterance("2", "ten", label="spa/none", labels=[], is_out_of_scope=True),
    ]
    with open_folder(write_dataset(tmp_path / "data", {("downstream", "train"): rows})) as connection:
        whole = query(connection, "downstream_statistics")[-1]
        labels = query(connection, "labels")
    names = ("rows", "labels", "out_of_scope", "smallest_label", "largest_label", "words_per_utterance")
    assert [whole[name] for name in names] == [3, 2, 1, 1, 2, pytest.approx(7 / 3)]
    assert [(row["label"], row["rows"], row["share"]) for row in labels] == [
        ("spa/move", 2, pytest.approx(2 / 3)),
        ("spa/cost", 1, pytest.approx(1 / 3)),
    ]


def test_distributions(counted, data):
    def unfolded(name, keys, count):
        return {tuple(row[key] for key in keys): row[count] for row in counted[name]}

    lengths = Counter((d["source"], min(len(t["text"].split()), 100)) for d in data["dialogues"] for t in d["turns"])
    assert unfolded("utterance_words", ("source", "words"), "utterances") == lengths
    turns = Counter((d["source"], min(len(d["turns"]), 100)) for d in data["dialogues"])
    assert unfolded("dialogue_turns", ("source", "turns"), "dialogues") == turns
    both = Counter(tuple(min(len(p[side].split()), 100) for side in ("anchor", "positive")) for p in data["pairs"])
    assert unfolded("pair_words", ("anchor_words", "positive_words"), "pairs") == both
    languages = Counter(
        (config, r["source"], r["language"], r["split"]) for config in ("dialogues", "downstream") for r in data[config]
    )
    assert unfolded("languages", ("config", "source", "language", "split"), "rows") == languages
    licenses = Counter((config, r["license"], r["redistributable"]) for config in data for r in data[config])
    assert unfolded("licenses", ("config", "license", "redistributable"), "rows") == licenses
    flags = Counter((c, r["source"], r["split"], flag) for c in data for r in data[c] for flag in r["flags"])
    assert unfolded("flags", ("config", "source", "split", "flag"), "rows") == flags


def test_frequent_words(counted, data):
    expected = defaultdict(Counter)
    texts = [(d["source"], d["language"], t["text"]) for d in data["dialogues"] for t in d["turns"]]
    texts += [(r["source"], r["language"], r["utterance"]) for r in data["downstream"]]
    for source, language, text in texts:
        expected[source, language].update(re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("’", "'")))
    assert {(row["source"], row["language"]) for row in counted["frequent_words"]} == set(expected)
    for key, words in expected.items():
        frequent = [row for row in counted["frequent_words"] if (row["source"], row["language"]) == key]
        best = sorted(words.items(), key=lambda item: (-item[1], item[0]))[:30]
        assert [(row["word"], row["occurrences"]) for row in frequent] == best
        assert [row["rank"] for row in frequent] == list(range(1, len(frequent) + 1))
        assert frequent[0]["share"] == pytest.approx(best[0][1] / words.total())


def test_drops_and_clusters(counted, folder):
    drops = pq.read_table(folder / "quality" / "drops.parquet").to_pylist()
    keys = ("config", "filter", "source", "split")
    expected = Counter(tuple(row[key] for key in keys) for row in drops)
    assert {tuple(row[key] for key in keys): row["rows"] for row in counted["drop_counts"]} == expected
    by_filter = Counter((row["config"], row["filter"]) for row in drops)
    shown = Counter((row["config"], row["filter"]) for row in counted["drop_examples"])
    assert shown == {key: min(3, number) for key, number in by_filter.items()}
    texts = {(row["config"], row["row_id"]): row["text"] for row in drops}
    for row in counted["drop_examples"]:
        assert row["redistributable"]  # each filter has enough of them
        assert row["text"] == texts[row["config"], row["row_id"]]

    clusters = defaultdict(list)
    for row in pq.read_table(folder / "quality" / "clusters.parquet").to_pylist():
        clusters[row["cluster_id"]].append(row)
    sizes = Counter(len(members) for members in clusters.values())
    assert {row["members"]: row["clusters"] for row in counted["cluster_sizes"]} == sizes
    assert sum(row["across_sources"] for row in counted["cluster_sizes"]) == len(clusters)
    largest = counted["largest_clusters"][0]
    members = clusters[largest["cluster_id"]]
    assert largest["members"] == len(members) == max(sizes)
    assert largest["examples"] == sorted(row["dialogue_id"] for row in members)[:10]
    assert largest["sources"] == sorted({row["source"] for row in members})
    assert largest["similarity"] == pytest.approx(min(row["similarity"] for row in members))
    assert largest["kinds"] == sorted({row["kind"] for row in members})


def test_quality_scores_are_binned(folder):
    with open_folder(folder) as connection:
        connection.execute(
            "CREATE OR REPLACE VIEW pairs AS SELECT col0 AS source, 'train' AS split, 'en' AS language, "
            "{'score': col1::FLOAT} AS quality FROM (VALUES ('a', 0), ('a', 0.04), ('a', 0.5), ('a', 1), ('b', NULL))"
        )
        scores = [(row["source"], row["score"], row["pairs"]) for row in query(connection, "quality_scores")]
    assert scores == [("a", 0.0, 2), ("a", 0.5, 1), ("a", 0.95, 1)]


def test_two_runs_give_the_same(folder, counted):
    assert statistics(folder) == counted
    assert set(counted) == set(sql.queries("metrics"))


def test_the_sql_runs_alone_in_the_folder(folder, counted, monkeypatch):
    """As in the DuckDB command line: in the folder, without variables and without our package."""
    import duckdb

    monkeypatch.chdir(folder)
    with duckdb.connect() as connection:
        connection.execute(sql.script())
        for name in sql.queries("metrics"):
            assert query(connection, name) == counted[name]


def test_every_query_explains_its_columns(folder):
    with open_folder(folder) as connection:
        for name, view in sql.queries("aggregates", "metrics", "details").items():
            words = set(re.findall(r"\w+", view.comment.lower()))
            columns = {column for column, *_ in connection.execute(f"DESCRIBE {name}").fetchall()}
            unexplained = (
                columns - words - {"source", "split", "config", "filter", "language", "pair_id", "dialogue_id"}
            )
            assert not unexplained, f"{name}: {unexplained}"


def test_configs_that_were_not_built_are_empty(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "part")
    for config in ("dialogues", "pairs"):
        shutil.rmtree(tmp_path / "part" / config)
    (tmp_path / "part" / "quality" / "clusters.parquet").unlink()
    metrics = statistics(tmp_path / "part")
    assert metrics["dialogue_statistics"] == metrics["pair_statistics"] == metrics["largest_clusters"] == []
    assert metrics["downstream_statistics"]


def test_parts_of_a_table_are_one_table(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "parts")
    for name, size in (("drops", 3), ("clusters", 2)):
        in_parts(tmp_path / "parts", name, size)
    assert len(list((tmp_path / "parts" / "quality").glob("*-of-*.parquet"))) > 4
    found = []
    for data in (folder, tmp_path / "parts"):
        with open_folder(data) as connection:
            found.append([query(connection, name) for name in ("drops", "clusters", "drop_counts")])
    assert found[0] == found[1]


def test_unreadable_files_are_named(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "broken")
    shard = next((tmp_path / "broken" / "pairs").glob("*.parquet"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"broken: its parquet files cannot be read .*build or download it again"):
        statistics(tmp_path / "broken")


def test_columns_that_an_older_version_lacks_are_null(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "old")
    for shard in (tmp_path / "old").glob("[dp]*/*.parquet"):
        pq.write_table(pq.read_table(shard).drop_columns(["metadata"]), shard)
    with open_folder(tmp_path / "old") as connection:
        for table in ("dialogs", "pairs", "downstream"):
            count, metadata = connection.execute(f"SELECT count(*), count(metadata) FROM {table}").fetchone()
            assert count
            assert not metadata


def test_rows_of_another_version_are_named(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "old")
    for shard in (tmp_path / "old" / "downstream").glob("*.parquet"):
        pq.write_table(pq.read_table(shard).drop_columns(["flags"]), shard)
    with pytest.raises(DataError, match=r"old: downstream lack the columns flags; another version built the folder"):
        statistics(tmp_path / "old")
