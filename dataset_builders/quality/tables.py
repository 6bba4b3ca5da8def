"""The numbers of a quality report as sections of plain tables: the terminal and the HTML page show the same ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from dataset_builders.quality.report import UNCHECKED, QualityReport
from dataset_builders.schema import CONFIGS, SPLITS
from dataset_builders.statistics import Rows

Cell = str | int | float | None

ALL = "all"
"""Name of the row that sums up."""


@dataclass(frozen=True)
class Table:
    """One table.

    Args:
        title: What it shows; empty when the section says it.
        columns: Title -> format of its numbers (`","`, `".1f"`, `".1%"`), `""` for text.
        rows: Cells in the order of the columns; None is shown as an empty cell.
        page_only: Too long for the terminal: the HTML page has it, folded.
    """

    title: str
    columns: dict[str, str]
    rows: list[tuple[Cell, ...]]
    page_only: bool = False

    def texts(self) -> Iterator[list[str]]:
        """The formatted cells, row by row."""
        for row in self.rows:
            yield [shown(cell, spec) for cell, spec in zip(row, self.columns.values(), strict=True)]


@dataclass(frozen=True)
class Section:
    """A heading with tables; the page adds the plots named as the section."""

    key: str
    title: str
    note: str = ""
    tables: list[Table] = field(default_factory=list)


def shown(cell: Cell, spec: str) -> str:
    """A cell as text."""
    if cell is None:
        return ""
    return format(cell, spec) if spec and not isinstance(cell, str) else str(cell)


def sections(report: QualityReport) -> list[Section]:
    """All sections in reading order; one that has nothing to say about this folder is left out."""
    made = [
        _rows(report),
        _drops(report),
        _flags(report),
        _duplicates(report),
        _leaks(report),
        _dialogues(report),
        _pairs(report),
        _downstream(report),
        _languages(report),
        _licenses(report),
        _words(report),
    ]
    unchecked = [section.title for section in made if section.note == UNCHECKED]
    told = [section for section in made if section.note != UNCHECKED and (section.note or section.tables)]
    return [*([Section("unchecked", ", ".join(unchecked), UNCHECKED)] if unchecked else []), *told]


def by_source(rows: Rows) -> Rows:
    """The rows of statistics over whole sources, then the one over everything (if there are several sources)."""
    whole = [row for row in rows if row["split"] is None]
    sources = [row for row in whole if row["source"] is not None]
    return whole if len(sources) > 1 else sources


def _rows(report: QualityReport) -> Section:
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


def _drops(report: QualityReport) -> Section:
    where: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in report.statistics["drops"]:
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


def _flags(report: QualityReport) -> Section:
    where: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in report.statistics["flags"]:
        where[row["config"], row["flag"]][row["source"]] += row["rows"]
    columns = {"kind": "", "flag": "", "rows": ",", "mostly in": ""}
    ordered = sorted(where.items(), key=lambda item: (CONFIGS.index(item[0][0]), -sum(item[1].values()), item[0]))
    rows: list[tuple[Cell, ...]] = [(*key, sum(n.values()), listed(n)) for key, n in ordered]
    return Section("flags", "Flagged rows", "", [Table("", columns, rows)] if rows else [])


def _duplicates(report: QualityReport) -> Section:
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


def _leaks(report: QualityReport) -> Section:
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


def _dialogues(report: QualityReport) -> Section:
    columns = {
        "source": "",
        "dialogues": ",",
        "turns": ",",
        "turns per dialogue": ".1f",
        "words per turn": ".1f",
        "chars per turn": ".1f",
        "words per dialogue": ".0f",
        "chars per dialogue": ".0f",
    }
    lengths = [f"{unit}_per_{of}" for of in ("utterance", "dialogue") for unit in ("words", "characters")]
    keys = ["source", "dialogues", "utterances", "turns_per_dialogue", *lengths]
    note = "means; words as separated by white space"
    return _statistics(report.statistics["dialogue_statistics"], "dialogues", "Dialogues", columns, keys, note)


def _pairs(report: QualityReport) -> Section:
    columns = {
        "source": "",
        "pairs": ",",
        "question to answer": ",",
        "distinct answers": ",",
        "anchor words": ".1f",
        "positive words": ".1f",
        "quality score": ".2f",
    }
    keys = ["source", "pairs", "question_answer", "distinct_answers", "anchor_words", "positive_words", "score"]
    note = "question to answer: from the user to the system; words and score: means"
    return _statistics(report.statistics["pair_statistics"], "pairs", "Pairs", columns, keys, note)


def _downstream(report: QualityReport) -> Section:
    columns = {
        "source": "",
        "rows": ",",
        "labels": ",",
        "languages": ",",
        "out of scope": ",",
        "smallest label": ",",
        "largest label": ",",
        "class balance": ".3f",
        "words per row": ".1f",
    }
    keys = [key.replace(" ", "_").replace("per_row", "per_utterance") for key in columns]
    note = "class balance: entropy of the labels / its maximum, 1 when all are equally frequent; label sizes in rows"
    return _statistics(report.statistics["downstream_statistics"], "downstream", "Intents", columns, keys, note)


def _statistics(rows: Rows, key: str, title: str, columns: dict[str, str], keys: list[str], note: str) -> Section:
    """A table by source, and one by source and split for the page."""
    if not rows:
        return Section(key, title)
    whole: list[tuple[Cell, ...]] = [tuple(row[k] for k in keys) for row in by_source(rows)]
    whole = [(ALL if row[0] is None else row[0], *row[1:]) for row in whole]
    split_rows = [row for row in rows if row["split"] is not None]
    split_rows.sort(key=lambda row: (row["source"], split_order(row["split"])))
    splits: list[tuple[Cell, ...]] = [(row["source"], row["split"], *(row[k] for k in keys[1:])) for row in split_rows]
    by_split = {"source": "", "split": "", **{k: v for k, v in columns.items() if k != "source"}}
    return Section(key, title, note, [Table("", columns, whole), Table("By split", by_split, splits, page_only=True)])


def split_order(split: str) -> int:
    """Train, validation, test."""
    return [*SPLITS, split].index(split)


def _languages(report: QualityReport) -> Section:
    rows = report.statistics["languages"]
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in rows:
        counts[row["config"], row["language"]][row["source"]] += row["rows"]
    ordered = sorted(counts.items(), key=lambda item: (item[0][0], -sum(item[1].values()), item[0]))
    cells: list[tuple[Cell, ...]] = [(*key, sum(n.values()), listed(n)) for key, n in ordered]
    full: list[tuple[Cell, ...]] = [(r["config"], r["source"], r["language"], r["split"], r["rows"]) for r in rows]
    columns = {"kind": "", "source": "", "language": "", "split": "", "rows": ","}
    tables = [
        Table("", {"kind": "", "language": "", "rows": ",", "mostly in": ""}, cells),
        Table("By source and split", columns, full, page_only=True),
    ]
    return Section("languages", "Languages", "", [table for table in tables if table.rows])


def _licenses(report: QualityReport) -> Section:
    rows = report.statistics["licenses"]
    totals, free = Counter[str](), Counter[str]()
    for row in rows:
        totals[row["config"]] += row["rows"]
        free[row["config"]] += row["rows"] if row["redistributable"] else 0
    shares = ", ".join(f"{free[c] / totals[c]:.1%} of {c}" for c in CONFIGS if totals[c])
    cells: list[tuple[Cell, ...]] = [
        (
            row["config"],
            row["license"].removeprefix("LicenseRef-"),
            "yes" if row["redistributable"] else "no",
            row["rows"],
            row["rows"] / totals[row["config"]],
            ", ".join(row["sources"]),
        )
        for row in sorted(rows, key=lambda row: CONFIGS.index(row["config"]))
    ]
    columns = {"kind": "", "licence": "", "pass on?": "", "rows": ",", "share": ".1%", "sources": ""}
    note = f"may be passed on: {shares}" if shares else ""
    return Section("licenses", "Licences", note, [Table("", columns, cells)] if cells else [])


def _words(report: QualityReport) -> Section:
    words: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in report.statistics["frequent_words"]:
        words[row["source"], row["language"]].append(f"{row['word']} {row['share']:.1%}")
    rows: list[tuple[Cell, ...]] = [(*key, ", ".join(found)) for key, found in words.items()]
    columns = {"source": "", "language": "", "words and their share of all": ""}
    note = "the 30 most frequent of each corpus" if rows else ""
    return Section("words", "Frequent words", note, [Table("Words", columns, rows, page_only=True)] if rows else [])


def listed(counts: Counter[str], most: int = 3) -> str:
    """The largest of the counts: `"sgd 1,204, woz 31 and 2 more"`."""
    ordered: Iterable[tuple[str, Any]] = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    names = [f"{name} {number:,}" for name, number in ordered]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
