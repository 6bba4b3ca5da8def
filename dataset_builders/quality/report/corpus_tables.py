"""Statistics of the corpora as tables: dialogues, pairs, intents, languages, licences, words."""

from __future__ import annotations

from collections import Counter, defaultdict

from dataset_builders.quality.report.read import QualityReport
from dataset_builders.quality.report.tables import ALL, Cell, Section, Table, listed
from dataset_builders.schema import CONFIGS, SPLITS
from dataset_builders.sql.run import Rows


def dialogues_section(report: QualityReport) -> Section:
    """Sizes and mean lengths of the dialogues."""
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


def pairs_section(report: QualityReport) -> Section:
    """Numbers and mean lengths of the pairs."""
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


def downstream_section(report: QualityReport) -> Section:
    """Sizes, labels and class balance of the intent sets."""
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


def by_source(rows: Rows) -> Rows:
    """The rows of statistics over whole sources, then the one over everything (if there are several sources)."""
    whole = [row for row in rows if row["split"] is None]
    sources = [row for row in whole if row["source"] is not None]
    return whole if len(sources) > 1 else sources


def split_order(split: str) -> int:
    """Train, validation, test."""
    return [*SPLITS, split].index(split)


def languages_section(report: QualityReport) -> Section:
    """Rows by language."""
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


def licenses_section(report: QualityReport) -> Section:
    """Rows by licence, and the share that may be passed on."""
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


def words_section(report: QualityReport) -> Section:
    """The most frequent words of each corpus."""
    words: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in report.statistics["frequent_words"]:
        words[row["source"], row["language"]].append(f"{row['word']} {row['share']:.1%}")
    rows: list[tuple[Cell, ...]] = [(*key, ", ".join(found)) for key, found in words.items()]
    columns = {"source": "", "language": "", "words and their share of all": ""}
    note = "the 30 most frequent of each corpus" if rows else ""
    return Section("words", "Frequent words", note, [Table("Words", columns, rows, page_only=True)] if rows else [])
