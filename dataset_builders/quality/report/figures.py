"""The plots of the quality report, by section."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from dataset_builders.quality.report import plots
from dataset_builders.quality.report.check_tables import sizes
from dataset_builders.quality.report.read import QualityReport
from dataset_builders.schema import CONFIGS, SPLITS

Figure = tuple[str, str]
"""Caption and `<svg>` text."""

JOINT_BIN, JOINT_TOP = 2, 50
"""Width of a bin, and upper end, of the plot of anchor and positive length, in words."""


def leak_totals(kinds: dict[str, dict[str, dict[str, int]]]) -> dict[str, int]:
    """Number of leaking rows by kind, over all sources and splits."""
    return {kind: sum(sum(splits.values()) for splits in sources.values()) for kind, sources in kinds.items()}


def _drop_figures(report: QualityReport) -> list[Figure]:
    figures = []
    for config in CONFIGS:
        counts: Counter[tuple[str, str]] = Counter()
        totals = Counter[str]()
        for row in report.statistics["drop_counts"]:
            if row["config"] == config:
                counts[row["filter"], row["source"]] += row["rows"]
                totals[row["filter"]] += row["rows"]
        if counts:
            size = sizes(report, config)
            filters = sorted(totals, key=lambda name: (-totals[name], name))
            sources = sorted({source for _, source in counts})
            of = {(name, source): size.get(source, 0) for name in filters for source in sources}
            caption = f"Dropped {config} by filter and source; colour: share of the source's rows"
            labels = ("filter", "source", "share of the source's rows")
            figures.append((caption, _matrix(caption, filters, sources, counts, of, labels)))
    return figures


def _duplicate_figures(report: QualityReport) -> list[Figure]:
    figures = []
    for kind, pairs in report.built.get("duplicates", {}).items():
        counts = Counter({(key.split("|")[0], key.split("|")[1]): number for key, number in pairs.items() if number})
        if counts:
            sources = sorted({source for pair in counts for source in pair})
            size = sizes(report, kind)
            of = {(source, other): size.get(source, 0) for source in sources for other in sources}
            caption = f"Duplicates: {kind} of one corpus (left) that are also in another one (below)"
            labels = ("of", "also in", "share of the rows")
            figures.append((caption, _matrix(caption, sources, sources, counts, of, labels)))
    return figures


def _matrix(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    counts: Counter[tuple[str, str]],
    of: dict[tuple[str, str], int],
    labels: tuple[str, str, str],
) -> str:
    """A heat map of `counts`, coloured by their share of the totals in `of`."""
    import numpy as np

    numbers = np.array([[counts[row, column] for column in columns] for row in rows], float)
    totals = np.array([[of[row, column] for column in columns] for row in rows], float)
    return plots.heat_map(title, rows, columns, numbers, np.clip(numbers / np.maximum(totals, 1), 0, 1), labels)


def _leak_figures(report: QualityReport) -> list[Figure]:
    if not (leaks := report.built.get("leaks")):
        return []
    before, after = leak_totals(leaks["before"]), leak_totals(leaks["after"])
    values = {kind: {"before": before.get(kind, 0), "after": after.get(kind, 0)} for kind in {**before, **after}}
    caption = "Leaks by kind, all sources"
    return [(caption, plots.bars(caption, values, "leaking rows", ("before", "after")))] if values else []


def _histograms(rows: list[dict[str, Any]], value: str, count: str) -> dict[str, dict[float, int]]:
    histograms: dict[str, dict[float, int]] = defaultdict(dict)
    for row in rows:
        histograms[row["source"]][row[value]] = row[count]
    return histograms


def _dialogue_figures(report: QualityReport) -> list[Figure]:
    figures = []
    for query, value, count, what in (
        ("utterance_words", "words", "utterances", "words per utterance"),
        ("dialogue_turns", "turns", "dialogues", "turns per dialogue"),
    ):
        if counts := _histograms(report.statistics[query], value, count):
            caption = f"{what.capitalize()}, by source; the line is the median"
            figures.append((caption, plots.histograms(caption, counts, what)))
    return figures


def _pair_figures(report: QualityReport) -> list[Figure]:
    import numpy as np

    figures = []
    if rows := report.statistics["pair_words"]:
        counts = np.zeros((JOINT_TOP // JOINT_BIN, JOINT_TOP // JOINT_BIN))
        lengths: dict[str, dict[float, int]] = {"anchor": Counter(), "positive": Counter()}
        for row in rows:
            for column, histogram in lengths.items():
                histogram[row[f"{column}_words"]] += row["pairs"]
            x, y = row["anchor_words"] // JOINT_BIN, row["positive_words"] // JOINT_BIN
            if x < len(counts) and y < len(counts):
                counts[y, x] += row["pairs"]
        caption = "Length of anchor and positive; the line is the median"
        figures.append((caption, plots.histograms(caption, lengths, "words")))
        labels = ("words of the anchor", "words of the positive", "pairs")
        caption = f"Both lengths together, below {JOINT_TOP} words"
        figures.append((caption, plots.joint_histogram(caption, counts, JOINT_BIN, labels)))
    if scores := _histograms(report.statistics["quality_scores"], "score", "pairs"):
        caption = "Quality score of the pairs, from 0 to 1; the line is the median"
        figures.append((caption, plots.histograms(caption, scores, "score", 0.05)))
    return figures


def _downstream_figures(report: QualityReport) -> list[Figure]:
    rows = [r for r in report.statistics["downstream_statistics"] if r["source"] and r["split"]]
    values: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        if row["class_balance"] is not None:
            values[row["source"]][row["split"]] = row["class_balance"]
    splits = [split for split in SPLITS if any(split in balances for balances in values.values())]
    caption = "Class balance by split: 100 % if all labels are equally frequent"
    label = "entropy of the labels / maximum"
    return [(caption, plots.bars(caption, values, label, splits, share=True))] if values else []


def _language_figures(report: QualityReport) -> list[Figure]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in report.statistics["languages"]:
        counts[row["config"]][row["language"]] += row["rows"]
    figures = []
    for config, languages in sorted(counts.items()):
        most = sorted(languages.items(), key=lambda item: (-item[1], item[0]))[:20]
        values = {name: {"share": number / languages.total()} for name, number in most}
        caption = f"Languages of the {config}" + (f", the first 20 of {len(languages)}" if len(languages) > 20 else "")
        figures.append((caption, plots.bars(caption, values, "share of rows", ("share",), share=True)))
    return figures


def _license_figures(report: QualityReport) -> list[Figure]:
    rows = report.statistics["licenses"]
    totals = Counter[str]()
    for row in sorted(rows, key=lambda row: CONFIGS.index(row["config"])):
        totals[row["config"]] += row["rows"]
    values: dict[str, dict[str, float]] = {}
    for row in sorted(rows, key=lambda row: (not row["redistributable"], row["license"])):
        name = row["license"].removeprefix("LicenseRef-") + (
            "" if row["redistributable"] else "\n(not redistributable)"
        )
        values.setdefault(name, {})[row["config"]] = row["rows"] / totals[row["config"]]
    caption = "Licences of the rows of each kind"
    return [(caption, plots.bars(caption, values, "share of rows", list(totals), share=True))] if values else []


FIGURES: dict[str, Callable[[QualityReport], list[Figure]]] = {
    "drops": _drop_figures,
    "duplicates": _duplicate_figures,
    "leaks": _leak_figures,
    "dialogues": _dialogue_figures,
    "pairs": _pair_figures,
    "downstream": _downstream_figures,
    "languages": _language_figures,
    "licenses": _license_figures,
}
"""Function that draws the plots of a section, by the section's key."""
