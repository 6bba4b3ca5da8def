"""Tables of the quality checks of a build: rows in and out, drops, flags, duplicates, leaks."""

from __future__ import annotations

from dataset_builders.quality.report.read import UNCHECKED, QualityReport
from dataset_builders.quality.report.tables import ALL, Cell, Section, Table, by_source, listed
from dataset_builders.schema import CONFIGS
from dataset_builders.sql.run import Rows


def rows_section(report: QualityReport) -> Section:
    """Rows in, dropped and out, by kind and source."""
    built = report.built.get("rows")
    if built is None:
        return Section("rows", "Rows in and out", UNCHECKED)
    columns = {"kind": "", "source": "", "in": ",", "dropped": ",", "out": ",", "kept": ".1%", "flags": ","}
    rows: list[tuple[Cell, ...]] = []
    for config in CONFIGS:
        numbers = [
            (source, n["in"], sum(n["dropped"].values()), n["out"], sum(n["flagged"].values()))
            for source, n in sorted(built.get(config, {}).items())
        ]
        if len(numbers) > 1:
            numbers.append((ALL, *(sum(column) for column in list(zip(*numbers, strict=True))[1:])))
        rows += [(config, source, i, d, o, o / i if i else None, f) for source, i, d, o, f in numbers]
    note = "flags: marks on kept rows; a row can have several"
    return Section("rows", "Rows in and out", note, [Table("", columns, rows)])


def drops_section(report: QualityReport) -> Section:
    """Dropped rows by filter, with examples."""
    drops = by_source(report.statistics["drop_counts"], "filter")
    if not any(counts.total() for _, counts in drops):
        return Section("drops", "Dropped rows", "none" if "rows" in report.built else UNCHECKED)
    columns = {"kind": "", "filter": "", "rows": ",", "mostly in": ""}
    short: list[tuple[Cell, ...]] = [(*key, n.total(), listed(n)) for key, n in drops]
    full: list[tuple[Cell, ...]] = [(*key, source, n[source]) for key, n in drops for source in sorted(n)]
    examples: list[tuple[Cell, ...]] = [
        (e["config"], e["filter"], e["row_id"], e["reason"], e["value"], e["text"], e["license"])
        for e in report.statistics["drop_examples"]
    ]
    texts = ("kind", "filter", "row", "reason", "value", "text", "licence")
    return Section(
        "drops",
        "Dropped rows",
        "all dropped rows, with reasons: quality/drops.parquet",
        [
            Table("", columns, short),
            Table("By filter and source", {"kind": "", "filter": "", "source": "", "rows": ","}, full, page_only=True),
            Table("Examples of each filter", dict.fromkeys(texts, ""), examples, page_only=True),
        ],
    )


def flags_section(report: QualityReport) -> Section:
    """Kept rows by flag."""
    columns = {"kind": "", "flag": "", "rows": ",", "mostly in": ""}
    flags = by_source(report.statistics["flags"], "flag")
    rows: list[tuple[Cell, ...]] = [(*key, n.total(), listed(n)) for key, n in flags]
    return Section("flags", "Flagged rows", "", [Table("", columns, rows)] if rows else [])


def duplicates_section(report: QualityReport) -> Section:
    """Rows that two sources share, and the largest clusters of dialogues."""
    title = "Duplicates between corpora"
    duplicates = report.built.get("duplicates")
    if duplicates is None:
        return Section("duplicates", title, UNCHECKED)
    rows: list[tuple[Cell, ...]] = []
    for kind, pairs in duplicates.items():
        size = sizes(report, kind)
        for key, number in sorted(pairs.items(), key=lambda item: (-item[1], item[0])):
            source, _, other = key.partition("|")
            if number:
                share = number / size[source] if size.get(source) else None
                rows.append((kind, source, "itself" if source == other else other, number, share))
    columns = {"kind": "", "rows of": "", "also in": "", "rows": ",", "share": ".1%"}
    largest = [row for kind in duplicates for row in [r for r in rows if r[0] == kind and r[2] != "itself"][:6]]
    tables = [
        Table("Most frequent, in another corpus", columns, largest),
        Table("All", columns, rows, page_only=True),
        _clusters(report.statistics["largest_clusters"]),
        *(_matrix(kind, pairs, sizes(report, kind)) for kind, pairs in duplicates.items()),
    ]
    clusters = sum(row["clusters"] for row in report.statistics["cluster_sizes"])
    members = sum(row["clusters"] * row["members"] for row in report.statistics["cluster_sizes"])
    mixed = sum(row["across_sources"] for row in report.statistics["cluster_sizes"])
    note = f"{clusters:,} clusters of {members:,} near-duplicate dialogues; {mixed:,} clusters span several corpora"
    if left := report.built.get("not_compared", {}).get("comparisons"):
        note += f"; {left:,} comparisons of dialogues that share a long passage with very many others were left out"
    return Section("duplicates", title, note, [table for table in tables if table.rows])


def _matrix(kind: str, pairs: dict[str, int], size: dict[str, int]) -> Table:
    """Share of the rows of each source (down) that another one (across) has as well."""
    shared = {tuple(key.split("|")): number for key, number in pairs.items() if len(set(key.split("|"))) == 2}
    names = sorted({name for key in shared for name in key})
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            *(
                shared[name, other] / size[name] if (name, other) in shared and size.get(name) else None
                for other in names
            ),
        )
        for name in names
    ]
    columns = {f"{kind} of": "", **dict.fromkeys(names, ".1%")}
    return Table(
        f"Overlap matrix: {kind} of a row's corpus that a column's corpus has, too", columns, rows, page_only=True
    )


def sizes(report: QualityReport, kind: str) -> dict[str, int]:
    """Number of dialogues, utterances or labelled utterances of each source, before any drop."""
    if kind == "utterances":
        return {
            source: sum(split.get("utterances", 0) for split in counts["original_splits"].values())
            for source, counts in report.built.get("sources", {}).items()
        }
    return {source: counts["in"] for source, counts in report.built.get("rows", {}).get(kind, {}).items()}


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
    """Rows that are in two splits, before and after the build's split policy."""
    leaks = report.built.get("leaks")
    if leaks is None:
        return Section("leaks", "Leaks between splits", UNCHECKED)
    before, after = leaks["before"], leaks["after"]
    splits = ("train-test", "train-validation", "validation-test")
    rows: list[tuple[Cell, ...]] = []
    for kind in dict.fromkeys([*before, *after]):
        old, new = before.get(kind, {}), after.get(kind, {})
        numbers = {
            source: [(old.get(source, {}).get(pair, 0), new.get(source, {}).get(pair, 0)) for pair in splits]
            for source in sorted({*old, *new})
        }
        leaky = {source: n for source, n in numbers.items() if any(map(any, n))}
        if len(leaky) != 1:
            columns = zip(*numbers.values(), strict=True) if numbers else [()] * len(splits)
            leaky[ALL] = [(sum(b for b, _ in n), sum(a for _, a in n)) for n in columns]
        rows += [(kind, source, *(f"{b:,} → {a:,}" for b, a in n)) for source, n in leaky.items()]
    policy = report.built.get("options", {}).get("split_policy", "unknown")
    note = (
        f"policy {policy}: rows of the first split that are also in the second, before → after. dialogue: "
        "near-duplicate dialogues; pair: equal pairs; text: equal labelled utterances; translated: translations; "
        "benchmark: pretraining rows with an utterance of a downstream test set"
    )
    table = Table("", dict.fromkeys(("kind", "source", *splits), ""), rows)
    return Section("leaks", "Leaks between splits", note, [table])
