"""Tables of the sources' statistics: dialogues, pairs, intents, languages, licences, words."""

from __future__ import annotations

from collections import Counter, defaultdict

from dataset_builders.quality.report.read import QualityReport
from dataset_builders.quality.report.tables import ALL, Cell, Section, Table, by_source, listed
from dataset_builders.schema import CONFIGS, SPLITS
from dataset_builders.sources.info import COVERAGE
from dataset_builders.sql.run import Rows


def dialogues_section(report: QualityReport) -> Section:
    """Number and mean length of the dialogues."""
    columns = [
        ("dialogues", "dialogues", ","),
        ("turns", "utterances", ","),
        ("turns per dialogue", "turns_per_dialogue", ".1f"),
        ("words per turn", "words_per_utterance", ".1f"),
        ("chars per turn", "characters_per_utterance", ".1f"),
        ("words per dialogue", "words_per_dialogue", ".0f"),
        ("chars per dialogue", "characters_per_dialogue", ".0f"),
    ]
    note = "means; in scripts without blanks between words, such as Chinese, 2 or 6 characters count as a word"
    return _statistics(report.statistics["dialogue_statistics"], "dialogues", "Dialogues", columns, note)


def pairs_section(report: QualityReport) -> Section:
    """Number and mean length of the pairs."""
    columns = [
        ("pairs", "pairs", ","),
        ("question to answer", "question_answer", ","),
        ("distinct answers", "distinct_answers", ","),
        ("anchor words", "anchor_words", ".1f"),
        ("positive words", "positive_words", ".1f"),
        ("quality score", "score", ".2f"),
    ]
    note = "question to answer: from the user to the system; words and score: means"
    return _statistics(report.statistics["pair_statistics"], "pairs", "Pairs", columns, note)


def downstream_section(report: QualityReport) -> Section:
    """Size, labels and class balance of the intent sets."""
    columns = [
        ("rows", "rows", ","),
        ("labels", "labels", ","),
        ("languages", "languages", ","),
        ("out of scope", "out_of_scope", ","),
        ("smallest label", "smallest_label", ","),
        ("largest label", "largest_label", ","),
        ("class balance", "class_balance", ".3f"),
        ("words per row", "words_per_utterance", ".1f"),
    ]
    note = "class balance: entropy of the labels / its maximum, 1 if all are equally frequent; label sizes in rows"
    return _statistics(report.statistics["downstream_statistics"], "downstream", "Intents", columns, note)


def _statistics(rows: Rows, key: str, title: str, columns: list[tuple[str, str, str]], note: str) -> Section:
    """A table by source, and a table by source and split for the page; columns are (title, key in `rows`, format)."""
    if not rows:
        return Section(key, title)
    keys = [name for _, name, _ in columns]
    formats = {heading: spec for heading, _, spec in columns}
    sources: list[tuple[Cell, ...]] = [(row["source"] or ALL, *map(row.get, keys)) for row in whole_sources(rows)]
    split_rows = [row for row in rows if row["split"] is not None]
    split_rows.sort(key=lambda row: (row["source"], split_order(row["split"])))
    splits: list[tuple[Cell, ...]] = [(row["source"], row["split"], *map(row.get, keys)) for row in split_rows]
    tables = [
        Table("", {"source": "", **formats}, sources),
        Table("By split", {"source": "", "split": "", **formats}, splits, page_only=True),
    ]
    return Section(key, title, note, tables)


def whole_sources(rows: Rows) -> Rows:
    """The rows of whole sources, followed by the row of all sources together if there are several."""
    whole = [row for row in rows if row["split"] is None]
    sources = [row for row in whole if row["source"] is not None]
    return whole if len(sources) > 1 else sources


def split_order(split: str) -> int:
    """Sort key of splits: train, validation, test, then any other."""
    return [*SPLITS, split].index(split)


def annotations_section(report: QualityReport) -> Section:
    """Share of the turns and dialogues of each source that have annotations."""
    columns = {"source": "", **dict.fromkeys(COVERAGE, ".1%")}
    rows: list[tuple[Cell, ...]] = [
        (source, *(facts["coverage"].get(name, 0) or "none" for name in COVERAGE))
        for source, facts in report.built.get("sources", {}).items()
        if facts.get("coverage")
    ]
    note = "acts, slots, state: share of turns that have them; domains: share of dialogues"
    return (
        Section("annotations", "Annotations", note, [Table("", columns, rows)]) if rows else Section("annotations", "")
    )


def languages_section(report: QualityReport) -> Section:
    """Rows by language."""
    rows = report.statistics["languages"]
    cells: list[tuple[Cell, ...]] = [(*key, n.total(), listed(n)) for key, n in by_source(rows, "language")]
    full: list[tuple[Cell, ...]] = [(r["config"], r["source"], r["language"], r["split"], r["rows"]) for r in rows]
    columns = {"kind": "", "source": "", "language": "", "split": "", "rows": ","}
    tables = [
        Table("", {"kind": "", "language": "", "rows": ",", "mostly in": ""}, cells),
        Table("By source and split", columns, full, page_only=True),
    ]
    return Section("languages", "Languages", "", [table for table in tables if table.rows])


def licenses_section(report: QualityReport) -> Section:
    """Rows by licence, and the share that may be redistributed."""
    rows = report.statistics["licenses"]
    totals, public = Counter[str](), Counter[str]()
    for row in rows:
        totals[row["config"]] += row["rows"]
        public[row["config"]] += row["rows"] if row["redistributable"] else 0
    shares = ", ".join(f"{public[c] / totals[c]:.1%} of {c}" for c in CONFIGS if totals[c])
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
    note = f"may be redistributed: {shares}" if shares else ""
    return Section("licenses", "Licences", note, [Table("", columns, cells)] if cells else [])


def words_section(report: QualityReport) -> Section:
    """The most frequent words of each source."""
    words: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in report.statistics["frequent_words"]:
        words[row["source"], row["language"]].append(f"{row['word']} {row['share']:.1%}")
    rows: list[tuple[Cell, ...]] = [(*key, ", ".join(texts)) for key, texts in words.items()]
    columns = {"source": "", "language": "", "words and their share of all words": ""}
    note = "the 30 most frequent of each corpus; in Chinese and Japanese, two adjacent characters are a word"
    return Section(
        "words", "Frequent words", note if rows else "", [Table("Words", columns, rows, page_only=True)] if rows else []
    )
