"""How fast the database answers, beside SQLite and pandas as the first platform used them; and what a build costs.

    python tests/benchmarks/bench_database.py [--rows 1000000] [--data DATASET] [--repeats 3]

The rows are synthetic: a million pairs (and 1.1 million turns that make them) and a million labelled utterances, with
words drawn by a Zipf law. The task is every number that the first platform's page showed, for each of its three tabs:

- `pandas`: `pandas.read_sql("SELECT * ...")` from SQLite, then `apply(len(text.split()))`, `groupby`, `Counter`;
- `text`: DuckDB counts them from the texts, with nothing prepared;
- `rows`: DuckDB counts them from the rows and the lengths that stand beside the texts, as any filter can be answered;
- `ready`: our views over the aggregates that the database holds, which is what the dashboard reads.

The numbers of all four are compared before any time is shown. Each runs in a fresh process, the best of three; seconds
are wall time, CPU the seconds of all threads (what others do on the machine changes it little), MiB the peak of the process. What preparing the aggregates costs stands in the build. With `--data`, the
build of that folder is measured too.
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
    drawn = generator.choice(20_000, lengths.sum(), p=weights / weights.sum())
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(offsets, pa.array(vocabulary).take(pa.array(drawn))), " ")


def table(schema: pa.Schema, rows: int, **columns: object) -> pa.Table:
    """Rows from columns; a column that is one value is repeated, one that is not given is null."""
    filled = []
    for field in schema:
        value = columns.get(field.name)
        if not isinstance(value, pa.Array):
            value = pa.array([value], field.type).take(pa.array(np.zeros(rows, np.int32)))
        filled.append(value.cast(field.type))
    return pa.Table.from_arrays(filled, schema=schema)


def names(prefix: str, numbers: np.ndarray, suffix: np.ndarray | None = None) -> pa.Array:
    found = pc.binary_join_element_wise(prefix, pa.array(numbers).cast(pa.string()), "/")
    return found if suffix is None else pc.binary_join_element_wise(found, pa.array(suffix).cast(pa.string()), "#")


def write_folder(folder: Path, rows: int) -> None:
    """A dataset folder as `build` writes it."""
    from dataset_builders.folder.layout import FORMAT
    from dataset_builders.folder.parquet import ShardWriter
    from dataset_builders.schema import ARROW_SCHEMAS, CLUSTERS, DROPS

    generator = np.random.default_rng(0)
    pool = texts(min(rows, 250_000), generator)
    parts = len(SOURCES) * len(SPLITS)
    dialogues, intents = -(-rows // (TURNS - 1) // parts), -(-rows // parts)
    turn = ARROW_SCHEMAS["dialogues"].field("turns").type.value_type
    speakers = pa.array(["user", "system"])
    nothing = pa.array([{"acts": [], "slots": [], "state": []}], turn.field("annotations").type)
    same = {"license": "CC0-1.0", "redistributable": True, "flags": [], "domains": [], "language": "en"}
    for split in SPLITS:
        writers = {config: ShardWriter(folder / config, split, schema) for config, schema in ARROW_SCHEMAS.items()}
        for source in SOURCES:
            said = generator.integers(0, len(pool), (dialogues, TURNS))
            number, place = np.repeat(np.arange(dialogues), TURNS), np.tile(np.arange(TURNS), dialogues)
            spoken, who = pool.take(pa.array(said.ravel())), speakers.take(pa.array(place % 2))
            empty = nothing.take(pa.array(np.zeros(len(place), np.int32)))
            turns = pa.StructArray.from_arrays([who, spoken, empty], fields=list(turn))
            starts = np.arange(0, len(place) + 1, TURNS, dtype=np.int32)
            made = {"source": source, "dialogue_id": names(f"{source}/{split}", np.arange(dialogues))}
            made |= {"turns": pa.ListArray.from_arrays(starts, turns), "empty_turns": 0}
            writers["dialogues"].write(table(ARROW_SCHEMAS["dialogues"], dialogues, **same, **made))
            begins = np.flatnonzero(place < TURNS - 1)
            first, second = pa.array(begins), pa.array(begins + 1)
            prefix = f"{source}/{split}"
            made = {"source": source, "dialogue_id": names(prefix, number[begins]), "pair_type": "consecutive"}
            made |= {"pair_id": names(prefix, number[begins], place[begins]), "turn_index": pa.array(place[begins])}
            made |= {"anchor": spoken.take(first), "positive": spoken.take(second), "context": [], "negatives": []}
            made |= {"anchor_speaker": who.take(first), "positive_speaker": who.take(second)}
            made |= {"answer_id": pa.array(said.ravel()[begins + 1]).cast(pa.string())}
            writers["pairs"].write(table(ARROW_SCHEMAS["pairs"], len(begins), **same, **made))
            name = f"intents-{source}"  # a source is of one kind
            made = {"source": name, "utterance_id": names(f"{name}/{split}", np.arange(intents))}
            made |= {"utterance": pool.take(pa.array(generator.integers(0, len(pool), intents)))}
            made |= {"label": names(name, generator.geometric(0.05, intents)), "is_out_of_scope": False}
            made |= {"language": pa.array(LANGUAGES).take(pa.array(np.arange(intents) % 3)), "original_split": split}
            writers["downstream"].write(table(ARROW_SCHEMAS["downstream"], intents, **{**same, **made}))
        for writer in writers.values():
            writer.close()
    (folder / "quality").mkdir()
    for name, features in (("drops", DROPS), ("clusters", CLUSTERS)):
        pq.write_table(features.arrow_schema.empty_table(), folder / "quality" / f"{name}.parquet")
    files = {path.relative_to(folder).as_posix(): "" for path in folder.rglob("*.parquet")}
    (folder / "quality" / "report.json").write_text(json.dumps({"format": FORMAT, "files": files}))


def write_sqlite(database: Path, out: Path) -> None:
    """The tables of the first platform, from the same rows."""
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
            "words": {source: sorted(n for _, n in found) for source, found in words.items()},
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
"""(tab, number) -> the query over rows, with lengths from `LENGTHS`, and the query over ready aggregates."""

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
        found = {
            name: [
                [int(value) if isinstance(value, float) else value for value in row]
                for row in connection.execute(rows.format(**lengths) if lengths else ready).fetchall()
            ]
            for (of, name), (rows, ready) in QUERIES.items()
            if of == tab
        }
    if tab == "dialogs":
        by_source: dict[str, list[int]] = {}
        for source, occurrences in found["words"]:
            by_source.setdefault(source, []).append(occurrences)
        return {**found, "words": {source: sorted(numbers) for source, numbers in by_source.items()}}
    return found


def one(what: str, arguments: list[str]) -> None:
    """In a process of its own: do it, print seconds, MiB and the numbers as JSON."""
    if what in METHODS:
        tab, sqlite, database = arguments
        if what == "pandas":
            import pandas  # noqa: F401  (importing is not what is measured)
        else:
            import duckdb  # noqa: F401

            from dataset_builders.database import open_database  # noqa: F401
        start, cpu = time.perf_counter(), time.process_time()
        found = with_pandas(tab, Path(sqlite)) if what == "pandas" else with_duckdb(tab, Path(database), what)
    else:
        import dataset_builders.database.build as build

        start, cpu = time.perf_counter(), time.process_time()
        found = {"written": len(build.build_database(*arguments).written)}
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    # not ru_maxrss, which a process inherits from the one that started it
    peak = int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, "found": found}))


def run(what: str, *arguments: object, repeats: int = 1) -> dict:
    best: dict = {}
    for _ in range(repeats):
        command = [sys.executable, __file__, "--one", what, *map(str, arguments)]
        done = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        if not best or done["cpu"] < best["cpu"]:
            best = done
    return best


def show(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def show_build(title: str, folder: Path, database: Path) -> None:
    first, again = run("build", folder, database), run("build", folder, database)
    assert first["found"]["written"]
    assert not again["found"]["written"]
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
        one(options.one[0], options.one[1:])
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(prefix="bench-database-") as place:
        folder, database, sqlite = (Path(place) / name for name in ("folder", "ours.duckdb", "theirs.sqlite"))
        if options.data:
            show_build(f"build of {options.data.name}", options.data, Path(place) / "data.duckdb")
        write_folder(folder, options.rows)
        show_build(f"build of {options.rows:,} synthetic pairs and as many intents", folder, database)
        write_sqlite(database, sqlite)
        show(f"{'tab':<12}{'':<10}{'seconds':>9}{'CPU':>9}{'MiB':>7}{'less CPU':>10}")
        for tab in TABS:
            found = {method: run(method, tab, sqlite, database, repeats=options.repeats) for method in METHODS}
            slowest = found["pandas"]
            for method, result in found.items():
                assert result["found"] == slowest["found"], f"{tab}: {method} counts otherwise than pandas"
                ratio = slowest["cpu"] / result["cpu"]
                times = f"{result['seconds']:>9.3f}{result['cpu']:>9.3f}"
                show(f"{tab:<12}{method:<10}{times}{result['peak']:>7.0f}{ratio:>9.0f}x")


if __name__ == "__main__":
    main()
