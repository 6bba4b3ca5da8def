"""What the quality checks of a build found, as tables: rows in and out, drops, flags, duplicates, leaks."""

from __future__ import annotations

from collections import Counter, defaultdict

from dataset_builders.quality.report.read import UNCHECKED, QualityReport
from dataset_builders.quality.report.tables import ALL, Cell, Section, Table, listed
from dataset_builders.schema import CONFIGS
from dataset_builders.sql.run import Rows


def rows_section(report: QualityReport) -> Section:
    """Rows in, dropped and out, by kind and source."""
    noted = report.built.get("rows")
    if noted is None:
        return Section("rows", "Rows in and out", UNCHECKED)
    columns = {"kind": "", "source": "", "in": ",", "dropped": ",", "out": ",", "kept": ".1%", "flags": ","}
    rows: list[tuple[Cell, ...]] = []
    for config in CONFIGS:
        numbers = [
            (source, n["in"], sum(n["dropped"].values()), n["out"], sum(n["flagged"].values()))
            for source, n in sorted(noted.get(config, {}).items())
        ]
        if len(numbers) > 1:
            numbers.append((ALL, *(sum(column) for column in list(zip(*numbers, strict=True))[1:])))
        rows += [(config, source, i, d, o, o / i if i else None, f) for source, i, d, o, f in numbers]
    note = "flags: notes on rows that were kept; a row can carry several"
    return Section("rows", "Rows in and out", note, [Table("", columns, rows)])


def drops_section(report: QualityReport) -> Section:
    """Dropped rows by filter, with examples."""
    where: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in report.statistics["drop_counts"]:
        where[row["config"], row["filter"]][row["source"]] += row["rows"]
    total = sum(sum(counts.values()) for counts in where.values())
    if not total:
        return Section("drops", "Dropped rows", "none" if "rows" in report.built else UNCHECKED)
    ordered = sorted(where.items(), key=lambda item: (CONFIGS.index(item[0][0]), -sum(item[1].values()), item[0]))
    columns = {"kind": "", "filter": "", "rows": ",", "mostly in": ""}
    short: list[tuple[Cell, ...]] = [(*key, sum(n.values()), listed(n)) for key, n in ordered]
    full: list[tuple[Cell, ...]] = [(*key, source, n[source]) for key, n in ordered for source in sorted(n)]
    examples: list[tuple[Cell, ...]] = [
        (e["config"], e["filter"], e["row_id"], e["reason"], e["value"], e["text"], e["license"])
        for e in report.statistics["drop_examples"]
    ]
    texts = ("kind", "filter", "row", "reason", "value", "text", "licence")
    return Section(
        "drops",
        "Dropped rows",
        "all of them, with their reasons: quality/drops.parquet",
        [
            Table("", columns, short),
            Table("By filter and source", {"kind": "", "filter": "", "source": "", "rows": ","}, full, page_only=True),
            Table("Examples of each filter", dict.fromkeys(texts, ""), examples, page_only=True),
        ],
    )


def flags_section(report: QualityReport) -> Section:
    """Rows that were kept with a note."""
    where: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in report.statistics["flags"]:
        where[row["config"], row["flag"]][row["source"]] += row["rows"]
    columns = {"kind": "", "flag": "", "rows": ",", "mostly in": ""}
    ordered = sorted(where.items(), key=lambda item: (CONFIGS.index(item[0][0]), -sum(item[1].values()), item[0]))
    rows: list[tuple[Cell, ...]] = [(*key, sum(n.values()), listed(n)) for key, n in ordered]
    return Section("flags", "Flagged rows", "", [Table("", columns, rows)] if rows else [])


def duplicates_section(report: QualityReport) -> Section:
    """Which corpora hold rows of others, and the largest clusters of dialogues."""
    title = "Duplicates between corpora"
    noted = report.built.get("duplicates")
    if noted is None:
        return Section("duplicates", title, UNCHECKED)
    rows: list[tuple[Cell, ...]] = []
    for kind, pairs in noted.items():
        size = sizes(report, kind)
        for key, number in sorted(pairs.items(), key=lambda item: (-item[1], item[0])):
            source, _, other = key.partition("|")
            if number:
                share = number / size[source] if size.get(source) else None
                rows.append((kind, source, "itself" if source == other else other, number, share))
    columns = {"kind": "", "rows of": "", "also in": "", "rows": ",", "share": ".1%"}
    across = [[row for row in rows if row[0] == kind and row[2] != "itself"][:6] for kind in noted]
    tables = [
        Table("In another corpus: the most", columns, [row for of_kind in across for row in of_kind]),
        Table("All", columns, rows, page_only=True),
        _clusters(report.statistics["largest_clusters"]),
    ]
    clusters = sum(row["clusters"] for row in report.statistics["cluster_sizes"])
    members = sum(row["clusters"] * row["members"] for row in report.statistics["cluster_sizes"])
    mixed = sum(row["across_sources"] for row in report.statistics["cluster_sizes"])
    note = f"{clusters:,} clusters hold {members:,} near-equal dialogues; {mixed:,} clusters span several corpora"
    return Section("duplicates", title, note, [table for table in tables if table.rows])


def sizes(report: QualityReport, kind: str) -> dict[str, int]:
    """Source -> its dialogues, utterances or labelled utterances, as they came in."""
    if kind == "utterances":
        splits = {name: noted["original_splits"].values() for name, noted in report.built.get("sources", {}).items()}
        return {name: sum(split.get("utterances", 0) for split in found) for name, found in splits.items()}
    return {source: noted["in"] for source, noted in report.built.get("rows", {}).get(kind, {}).items()}


def _clusters(rows: Rows) -> Table:
    columns = {"members": ",", "sources": "", "similarity at least": ".2f", "found by": "", "dialogues": ""}
    cells: list[tuple[Cell, ...]] = []
    for row in rows:
        more = row["members"] - len(row["examples"])
        members = ", ".join(row["examples"]) + (f" and {more:,} more" if more else "")
        cells.append(
            (row["members"], ", ".join(row["sources"]), row["similarity"], ", ".join(row["kinds"] or []), members)
        )
    return Table("Largest clusters of dialogues", columns, cells, page_only=True)


def leaks_section(report: QualityReport) -> Section:
    """Rows that stand in two splits, before and after the build's policy."""
    noted = report.built.get("leaks")
    if noted is None:
        return Section("leaks", "Leaks between splits", UNCHECKED)
    before, after = noted["before"], noted["after"]
    sides = ("train-test", "train-validation", "validation-test")
    rows: list[tuple[Cell, ...]] = []
    for kind in dict.fromkeys([*before, *after]):
        old, new = before.get(kind, {}), after.get(kind, {})
        numbers = {
            source: [(old.get(source, {}).get(side, 0), new.get(source, {}).get(side, 0)) for side in sides]
            for source in sorted({*old, *new})
        }
        leaky = {source: n for source, n in numbers.items() if any(map(any, n))}
        if len(leaky) != 1:
            by_side = zip(*numbers.values(), strict=True) if numbers else [()] * len(sides)
            leaky[ALL] = [(sum(b for b, _ in n), sum(a for _, a in n)) for n in by_side]
        rows += [(kind, source, *(f"{b:,} → {a:,}" for b, a in n)) for source, n in leaky.items()]
    policy = report.built.get("options", {}).get("split_policy", "unknown")
    note = (
        f"policy {policy}: rows of the first split that stand in the second too, before → after. dialogue: near-equal "
        "dialogues; pair: equal pairs; text: equal labelled utterances; benchmark: pretraining rows that hold an "
        "utterance of a downstream test set"
    )
    return Section(
        "leaks", "Leaks between splits", note, [Table("", dict.fromkeys(("kind", "source", *sides), ""), rows)]
    )
