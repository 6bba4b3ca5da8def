"""Compare queries of the database with SQLite and pandas, as the first platform used them, and measure the build.

    python tests/benchmarks/bench_database.py [--rows 1000000] [--data DATASET] [--repeats 3]

The rows are synthetic: a million pairs (and 1.1 million turns that make them) and a million labelled utterances, with
words from a Zipf distribution. The task is to compute all numbers of the first platform's page, for each of its three
tabs:

- `pandas`: `pandas.read_sql("SELECT * ...")` from SQLite, then `apply(len(text.split()))`, `groupby`, `Counter`;
- `text`: DuckDB computes them from the texts;
- `rows`: DuckDB computes them from the rows, with their stored lengths, as under any filter;
- `ready`: the views over the stored aggregates, which the dashboard reads.

All four must give the same numbers. Each runs in a fresh process, and the best of `--repeats` is shown: wall seconds,
CPU seconds of all threads (other load changes them little) and the peak memory of the process in MiB. The build includes
the computation of the aggregates. With `--data`, the build from that folder is measured too.
"""

import argparse
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

TABS = ("dialogs", "pairs", "downstream")
METHODS = ("pandas", "text", "rows", "ready")
SOURCES, SPLITS, LANGUAGES = ("alpha", "beta", "gamma"), ("train", "validation", "test"), ("en", "de", "ru")
TURNS = 10


def texts(count: int, generator: np.random.Generator) -> pa.Array:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    vocabulary = ["".join(letters[generator.integers(0, 26, generator.integers(2, 9))]) for _ in range(20_000)]
    weights = 1 / (np.arange(20_000) + 10.0)
    lengths = generator.integers(4, 20, count)
    words = generator.choice(20_000, lengths.sum(), p=weights / weights.sum())
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(offsets, pa.array(vocabulary).take(pa.array(words))), " ")


def table(schema: pa.Schema, rows: int, **columns: object) -> pa.Table:
    """Make rows from columns; a single value is repeated, and missing columns are null."""
    arrays = []
    for field in schema:
        value = columns.get(field.name)
        if not isinstance(value, pa.Array):
            value = pa.array([value], field.type).take(pa.array(np.zeros(rows, np.int32)))
        arrays.append(value.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def names(prefix: str, numbers: np.ndarray, suffix: np.ndarray | None = None) -> pa.Array:
    ids = pc.binary_join_element_wise(prefix, pa.array(numbers).cast(pa.string()), "/")
    return ids if suffix is None else pc.binary_join_element_wise(ids, pa.array(suffix).cast(pa.string()), "#")


def write_folder(folder: Path, rows: int) -> None:
    """Write a dataset folder as `build` does."""
    from dataset_builders.folder.layout import FORMAT
    from dataset_builders.folder.parquet import ShardWriter
    from dataset_builders.schema import ARROW_SCHEMAS, CLUSTERS, DROPS

    generator = np.random.default_rng(0)
    pool = texts(min(rows, 250_000), generator)
    parts = len(SOURCES) * len(SPLITS)
    dialogues, intents = -(-rows // (TURNS - 1) // parts), -(-rows // parts)
    turn = ARROW_SCHEMAS["dialogues"].field("turns").type.value_type
    speakers = pa.array(["user", "system"])
    no_annotations = pa.array([{"acts": [], "slots": [], "state": []}], turn.field("annotations").type)
    common = {"license": "CC0-1.0", "redistributable": True, "flags": [], "domains": [], "language": "en"}
    for split in SPLITS:
        writers = {config: ShardWriter(folder / config, split, schema) for config, schema in ARROW_SCHEMAS.items()}
        for source in SOURCES:
            text_ids = generator.integers(0, len(pool), (dialogues, TURNS))
            number, turn_index = np.repeat(np.arange(dialogues), TURNS), np.tile(np.arange(TURNS), dialogues)
            text, speaker = pool.take(pa.array(text_ids.ravel())), speakers.take(pa.array(turn_index % 2))
            annotations = no_annotations.take(pa.array(np.zeros(len(turn_index), np.int32)))
            turns = pa.StructArray.from_arrays([speaker, text, annotations], fields=list(turn))
            starts = np.arange(0, len(turn_index) + 1, TURNS, dtype=np.int32)
            columns = {"source": source, "dialogue_id": names(f"{source}/{split}", np.arange(dialogues))}
            columns |= {"turns": pa.ListArray.from_arrays(starts, turns), "empty_turns": 0}
            writers["dialogues"].write(table(ARROW_SCHEMAS["dialogues"], dialogues, **common, **columns))
            begins = np.flatnonzero(turn_index < TURNS - 1)
            first, second = pa.array(begins), pa.array(begins + 1)
            prefix = f"{source}/{split}"
            columns = {"source": source, "dialogue_id": names(prefix, number[begins]), "pair_type": "consecutive"}
            columns |= {
                "pair_id": names(prefix, number[begins], turn_index[begins]),
                "turn_index": pa.array(turn_index[begins]),
            }
            columns |= {"anchor": text.take(first), "positive": text.take(second), "context": [], "negatives": []}
            columns |= {"anchor_speaker": speaker.take(first), "positive_speaker": speaker.take(second)}
            columns |= {"answer_id": pa.array(text_ids.ravel()[begins + 1]).cast(pa.string())}
            writers["pairs"].write(table(ARROW_SCHEMAS["pairs"], len(begins), **common, **columns))
            name = f"intents-{source}"  # a source has one kind of rows
            columns = {"source": name, "utterance_id": names(f"{name}/{split}", np.arange(intents))}
            columns |= {"utterance": pool.take(pa.array(generator.integers(0, len(pool), intents)))}
            columns |= {"label": names(name, generator.geometric(0.05, intents)), "is_out_of_scope": False}
            columns |= {"language": pa.array(LANGUAGES).take(pa.array(np.arange(intents) % 3)), "original_split": split}
            writers["downstream"].write(table(ARROW_SCHEMAS["downstream"], intents, **{**common, **columns}))
        for writer in writers.values():
            writer.close()
    (folder / "quality").mkdir()
    for name, features in (("drops", DROPS), ("clusters", CLUSTERS)):
        pq.write_table(features.arrow_schema.empty_table(), folder / "quality" / f"{name}.parquet")
    files = {path.relative_to(folder).as_posix(): "" for path in folder.rglob("*.parquet")}
    (folder / "quality" / "report.json").write_text(json.dumps({"format": FORMAT, "files": files}))


def write_sqlite(database: Path, out: Path) -> None:
    """Write the tables of the first platform, from the same rows."""
    from dataset_builders.database import open_database

    tables = {
        "dialogs": "dialog_text, split_name, dataset_name",
        "pairs": "first_utterance, second_utterance, split_name, dataset_name",
        "downstream": "utterance, label, split, language, dataset_name",
    }
    with open_database(database) as duck, closing(sqlite3.connect(out)) as lite:
        for name, columns in tables.items():
            lite.execute(f"CREATE TABLE {name} ({columns})")
            duck.execute(f"SELECT {columns} FROM {name}")
            marks = ", ".join("?" * len(columns.split(",")))
            while batch := duck.fetchmany(50_000):
                lite.executemany(f"INSERT INTO {name} VALUES ({marks})", batch)
        lite.commit()


def with_pandas(tab: str, sqlite: Path) -> dict:
    import pandas as pd

    with closing(sqlite3.connect(sqlite)) as connection:
        rows = pd.read_sql(f"SELECT * FROM {tab}", connection)

    def count(texts: pd.Series) -> pd.Series:
        return texts.apply(lambda text: len(text.split()))

    if tab == "dialogs":
        rows["turns"] = rows["dialog_text"].apply(lambda text: len(text.split("\n")))
        rows["words"] = count(rows["dialog_text"])
        means = rows.groupby(["dataset_name", "split_name"])[["turns", "words"]].agg(["count", "sum"])
        words = {
            source: Counter(" ".join(texts).lower().split()).most_common(30)
            for source, texts in rows.groupby("dataset_name")["dialog_text"]
        }
        return {
            "means": [
                [*key, *map(int, (line["turns"]["count"], line["turns"]["sum"], line["words"]["sum"]))]
                for key, line in means.iterrows()
            ],
            "turns": [[*map(int, line)] for line in rows.groupby("turns").size().reset_index().to_numpy()],
            "words": {source: sorted(count for _, count in counts) for source, counts in words.items()},
        }
    if tab == "pairs":
        rows["first"], rows["second"] = count(rows["first_utterance"]), count(rows["second_utterance"])
        means = rows.groupby(["dataset_name", "split_name"])[["first", "second"]].agg(["count", "sum"])
        joint = rows.groupby(["first", "second"]).size().reset_index()
        return {
            "means": [
                [*key, *map(int, (line["first"]["count"], line["first"]["sum"], line["second"]["sum"]))]
                for key, line in means.iterrows()
            ],
            "joint": [[*map(int, line)] for line in joint.to_numpy()],
        }
    rows["words"] = count(rows["utterance"])
    return {
        "labels": sorted(map(list, rows.groupby(["dataset_name", "label"]).size().reset_index().to_numpy().tolist())),
        "languages": sorted(rows.groupby(["split", "language"]).size().reset_index().to_numpy().tolist()),
        "words": [[*map(int, line)] for line in rows.groupby("words").size().reset_index().to_numpy()],
    }


QUERIES = {
    ("dialogs", "means"): (
        "SELECT source, split, count(*), sum(turn_count), sum(words) FROM {dialogs} GROUP BY ALL ORDER BY ALL",
        "SELECT source, split, dialogues, utterances, round(dialogues * words_per_dialogue) FROM dialogue_statistics "
        "WHERE split IS NOT NULL ORDER BY ALL",
    ),
    ("dialogs", "turns"): (
        "SELECT turn_count, count(*) FROM {dialogs} GROUP BY ALL ORDER BY ALL",
        "SELECT turns, sum(dialogues) FROM dialogue_turns GROUP BY ALL ORDER BY ALL",
    ),
    ("dialogs", "words"): (
        "SELECT source, occurrences FROM (SELECT source, word, count(*) AS occurrences FROM (SELECT source, "
        "unnest(string_split(lower(text), ' ')) AS word FROM turns) GROUP BY ALL) QUALIFY row_number() OVER "
        "(PARTITION BY source ORDER BY occurrences DESC, word) <= 30 ORDER BY ALL",
        "SELECT source, occurrences FROM frequent_words WHERE language = 'en' AND source IN (SELECT source FROM dialogs) "
        "ORDER BY ALL",
    ),
    ("pairs", "means"): (
        "SELECT source, split, count(*), sum(first), sum(second) FROM {pairs} GROUP BY ALL ORDER BY ALL",
        "SELECT source, split, pairs, round(pairs * anchor_words), round(pairs * positive_words) FROM pair_statistics "
        "WHERE split IS NOT NULL ORDER BY ALL",
    ),
    ("pairs", "joint"): (
        "SELECT first, second, count(*) FROM {pairs} GROUP BY ALL ORDER BY ALL",
        "FROM pair_words",
    ),
    ("downstream", "labels"): (
        "SELECT source, label, count(*) FROM downstream GROUP BY ALL ORDER BY ALL",
        "SELECT source, label, sum(rows) FROM labels GROUP BY ALL ORDER BY ALL",
    ),
    ("downstream", "languages"): (
        "SELECT split, language, count(*) FROM downstream GROUP BY ALL ORDER BY ALL",
        "SELECT split, language, sum(rows) FROM languages WHERE config = 'downstream' GROUP BY ALL ORDER BY ALL",
    ),
    ("downstream", "words"): (
        "SELECT words, count(*) FROM {downstream} GROUP BY ALL ORDER BY ALL",
        "SELECT value, sum(rows) FROM downstream_histograms WHERE measure = 'words' GROUP BY ALL ORDER BY ALL",
    ),
}
"""(tab, figure) -> query over rows, with lengths from `LENGTHS`, and query over aggregates."""

LENGTHS = {
    "text": {
        "dialogs": "SELECT source, split, len(string_split(dialog_text, chr(10))) AS turn_count, "
        "word_count(replace(dialog_text, chr(10), ' ')) AS words FROM dialogs",
        "pairs": "SELECT source, split, word_count(anchor) AS first, word_count(positive) AS second FROM pairs",
        "downstream": "SELECT word_count(utterance) AS words FROM downstream",
    },
    "rows": {
        "dialogs": "FROM dialogs",
        "pairs": "SELECT source, split, anchor_words AS first, positive_words AS second FROM pairs",
        "downstream": "FROM downstream",
    },
}


def with_duckdb(tab: str, database: Path, method: str) -> dict:
    from dataset_builders.database import open_database

    lengths = {name: f"({query})" for name, query in LENGTHS.get(method, {}).items()}
    with open_database(database, threads=2) as connection:
        figures = {
            name: [
                [int(value) if isinstance(value, float) else value for value in row]
                for row in connection.execute(rows.format(**lengths) if lengths else ready).fetchall()
            ]
            for (query_tab, name), (rows, ready) in QUERIES.items()
            if query_tab == tab
        }
    if tab == "dialogs":
        by_source: dict[str, list[int]] = {}
        for source, occurrences in figures["words"]:
            by_source.setdefault(source, []).append(occurrences)
        return {**figures, "words": {source: sorted(numbers) for source, numbers in by_source.items()}}
    return figures


def measure(task: str, arguments: list[str]) -> None:
    """Run a task in this process; print seconds, MiB and figures as JSON."""
    if task in METHODS:
        tab, sqlite, database = arguments
        if task == "pandas":
            import pandas  # noqa: F401  (the time of imports is not measured)
        else:
            import duckdb  # noqa: F401

            from dataset_builders.database import open_database  # noqa: F401
        start, cpu = time.perf_counter(), time.process_time()
        figures = with_pandas(tab, Path(sqlite)) if task == "pandas" else with_duckdb(tab, Path(database), task)
    else:
        import dataset_builders.database.build as build

        start, cpu = time.perf_counter(), time.process_time()
        figures = {"written": len(build.build_database(*arguments).written)}
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    # not ru_maxrss, which a process inherits from its parent
    peak = int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, "figures": figures}))


def run(task: str, *arguments: object, repeats: int = 1) -> dict:
    best: dict = {}
    for _ in range(repeats):
        command = [sys.executable, __file__, "--one", task, *map(str, arguments)]
        result = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        if not best or result["cpu"] < best["cpu"]:
            best = result
    return best


def show(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def show_build(title: str, folder: Path, database: Path) -> None:
    first, again = run("build", folder, database), run("build", folder, database)
    assert first["figures"]["written"]
    assert not again["figures"]["written"]
    size = database.stat().st_size / 1e6
    show(
        f"{title}: {first['seconds']:.1f} s (CPU {first['cpu']:.1f} s), peak {first['peak']:.0f} MiB, {size:.0f} MB; again {again['seconds']:.2f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(options.one[0], options.one[1:])
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(prefix="bench-database-") as root:
        folder, database, sqlite = (Path(root) / name for name in ("folder", "corpus.duckdb", "platform.sqlite"))
        if options.data:
            show_build(f"build of {options.data.name}", options.data, Path(root) / "data.duckdb")
        write_folder(folder, options.rows)
        show_build(f"build of {options.rows:,} synthetic pairs and as many intents", folder, database)
        write_sqlite(database, sqlite)
        show(f"{'tab':<12}{'':<10}{'seconds':>9}{'CPU':>9}{'MiB':>7}{'less CPU':>10}")
        for tab in TABS:
            results = {method: run(method, tab, sqlite, database, repeats=options.repeats) for method in METHODS}
            baseline = results["pandas"]
            for method, result in results.items():
                assert result["figures"] == baseline["figures"], f"{tab}: {method} and pandas give different figures"
                ratio = baseline["cpu"] / result["cpu"]
                times = f"{result['seconds']:>9.3f}{result['cpu']:>9.3f}"
                show(f"{tab:<12}{method:<10}{times}{result['peak']:>7.0f}{ratio:>9.0f}x")


if __name__ == "__main__":
    main()
