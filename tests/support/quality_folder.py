"""A dataset folder with invented drops, clusters and leaks, and the report of them."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

from dataset_builders.schema import CLUSTERS, CONFIGS, DROPS
from support.digests import renew_digests

FILTERS = {
    "dialogues": ["leak", "one_sided", "too_few_turns"],
    "pairs": ["pair_length", "leak"],
    "downstream": ["benchmark", "conflicting_label"],
}


def in_parts(folder, name, rows):
    """Cut `quality/NAME.parquet` into several files, as a build does with large tables."""
    whole = folder / "quality" / f"{name}.parquet"
    table, starts = pq.read_table(whole), range(0, pq.read_metadata(whole).num_rows, rows)
    for number, start in enumerate(starts):
        part = whole.with_name(f"{name}-{number:05d}-of-{len(starts):05d}.parquet")
        pq.write_table(table.slice(start, rows), part)
    whole.unlink()


def rows(folder: Path, config: str) -> list[dict]:
    """Read all rows of a config, with their split."""
    all_rows = []
    for path in sorted((folder / config).glob("*.parquet")):
        all_rows += [{**row, "split": path.name.split("-")[0]} for row in pq.read_table(path).to_pylist()]
    return all_rows


def with_quality(built: Path, to: Path) -> Path:
    """Copy a dataset folder and add drops, clusters, leaks and their counts in the report."""
    shutil.copytree(built, to)
    report = json.loads((to / "quality" / "report.json").read_text())
    original_rows = report["rows"]
    drops, report["rows"] = [], {}
    for config in CONFIGS:
        table = pyarrow.dataset.dataset(to / config, format="parquet").to_table(columns=["source"])
        out = Counter(table["source"].to_pylist())
        report["rows"][config] = {}
        for rank, source in enumerate(sorted(out), 1):
            dropped = {name: (rank * 7 * (n + 1)) % (out[source] // 2 + 2) for n, name in enumerate(FILTERS[config])}
            drops += [
                {
                    "config": config,
                    "row_id": f"{source}/train/{name}-{number}",
                    "dialogue_id": None if config == "downstream" else f"{source}/train/{number}",
                    "source": source,
                    "split": "train",
                    "filter": name,
                    "reason": f"what {name} finds",
                    "value": f"<b>{number}</b>",
                    "text": f"An invented {config} text & number {number}",
                    "license": "LicenseRef-private" if rank == 1 else "CC-BY-4.0",
                    "redistributable": rank != 1,
                }
                for name, count in dropped.items()
                for number in range(count)
            ]
            total = sum(dropped.values())
            flagged = original_rows[config][source]["flagged"]
            counts = {"in": out[source] + total, "out": out[source], "dropped": dropped, "flagged": flagged}
            report["rows"][config][source] = counts
    names = sorted(report["rows"]["dialogues"])
    clusters = [
        {
            "cluster_id": f"cluster{size}",
            "dialogue_id": f"{names[member % len(names)]}/train/{size}-{member}",
            "source": names[member % len(names)],
            "nearest_id": f"{names[0]}/train/{size}-0" if member else None,
            "similarity": 1 - member / 100,
            "kind": ["equal", "jaccard", "containment"][member % 3],
        }
        for size in (2, 2 + len(names), 14)
        for member in range(size)
    ]
    pq.write_table(pa.Table.from_pylist(drops, DROPS.arrow_schema), to / "quality" / "drops.parquet")
    pq.write_table(pa.Table.from_pylist(clusters, CLUSTERS.arrow_schema), to / "quality" / "clusters.parquet")
    splits = ("train-test", "train-validation", "validation-test")
    leaks = {
        "dialogue": {names[0]: dict.fromkeys(splits, 7), names[-1]: dict.fromkeys(splits, 30)},
        "text": {"banking77": {"train-test": 5, "train-validation": 0, "validation-test": 0}},
    }
    report["leaks"] = {"before": leaks, "after": {kind: {} for kind in leaks}}
    first, last = names[0], names[-1]
    within = {f"{name}|{name}": number for number, name in enumerate(names)}
    report["duplicates"] = {
        "dialogues": {**within, f"{first}|{last}": 12, f"{last}|{first}": 9},
        "utterances": {**within, f"{first}|{last}": 300},
        "downstream": {"banking77|banking77": 4},
    }
    (to / "quality" / "report.json").write_text(json.dumps(report))
    return renew_digests(to)
