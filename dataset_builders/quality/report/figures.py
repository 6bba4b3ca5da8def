"""The plots of a quality report, by section."""

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
"""Words in a bin, and largest number of words, of the plot of both sides of the pairs."""


def leak_totals(kinds: dict[str, dict[str, dict[str, int]]]) -> dict[str, int]:
    """Kind -> leaking rows over all sources and sides."""
    return {kind: sum(sum(sides.values()) for sides in sources.values()) for kind, sources in kinds.items()}


def _drop_figures(report: QualityReport) -> list[Figure]:
    drawn = []
    for config in CONFIGS:
        counts: Counter[tuple[str, str]] = Counter()
        for row in report.statistics["drop_counts"]:
            if row["config"] == config:
                counts[row["filter"], row["source"]] += row["rows"]
        if counts:
            came_in = sizes(report, config)
            totals = Counter[str]()
            for (name, _), number in counts.items():
                totals[name] += number
            filters = sorted(totals, key=lambda name: (-totals[name], name))
            sources = sorted({source for _, source in counts})
            of = {(name, source): came_in.get(source, 0) for name in filters for source in sources}
            caption = f"Dropped {config} by filter and source; colour: share of the source's rows"
            labels = ("filter", "source", "share of the source's rows")
            drawn.append((caption, _matrix(caption, filters, sources, counts, of, labels)))
    return drawn


def _duplicate_figures(report: QualityReport) -> list[Figure]:
    drawn = []
    for kind, pairs in report.built.get("duplicates", {}).items():
        counts = Counter({(key.split("|")[0], key.split("|")[1]): number for key, number in pairs.items() if number})
        if counts:
            sources = sorted({source for pair in counts for source in pair})
            size = sizes(report, kind)
            of = {(source, other): size.get(source, 0) for source in sources for other in sources}
            caption = f"Duplicates: {kind} of one corpus (left) that another one (below) has too"
            labels = ("of", "also in", "share of the rows")
            drawn.append((caption, _matrix(caption, sources, sources, counts, of, labels)))
    return drawn


def _matrix(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    counts: Counter[tuple[str, str]],
    of: dict[tuple[str, str], int],
    labels: tuple[str, str, str],
) -> str:
    import numpy as np

    numbers = np.array([[counts[row, column] for column in columns] for row in rows], float)
    wholes = np.array([[of[row, column] for column in columns] for row in rows], float)
    return plots.heat_map(title, rows, columns, numbers, np.clip(numbers / np.maximum(wholes, 1), 0, 1), labels)


def _leak_figures(report: QualityReport) -> list[Figure]:
    if not (leaks := report.built.get("leaks")):
        return []
    before, after = leak_totals(leaks["before"]), leak_totals(leaks["after"])
    values = {kind: {"before": before.get(kind, 0), "after": after.get(kind, 0)} for kind in {**before, **after}}
    caption = "Leaks by kind, all sources"
    return [(caption, plots.bars(caption, values, "leaking rows", ("before", "after")))] if values else []


def _histograms(rows: list[dict[str, Any]], value: str, count: str) -> dict[str, dict[float, int]]:
    found: dict[str, dict[float, int]] = defaultdict(dict)
    for row in rows:
        found[row["source"]][row[value]] = row[count]
    return found


def _dialogue_figures(report: QualityReport) -> list[Figure]:
    drawn = []
    for query, value, count, what in (
        ("utterance_words", "words", "utterances", "words per utterance"),
        ("dialogue_turns", "turns", "dialogues", "turns per dialogue"),
    ):
        if counts := _histograms(report.statistics[query], value, count):
            caption = f"{what.capitalize()}, by source; the line is the median"
            drawn.append((caption, plots.histograms(caption, counts, what)))
    return drawn


def _pair_figures(report: QualityReport) -> list[Figure]:
    import numpy as np

    drawn = []
    if rows := report.statistics["pair_words"]:
        counts = np.zeros((JOINT_TOP // JOINT_BIN, JOINT_TOP // JOINT_BIN))
        sides: dict[str, dict[float, int]] = {"anchor": Counter(), "positive": Counter()}
        for row in rows:
            for side, found in sides.items():
                found[row[f"{side}_words"]] += row["pairs"]
            x, y = row["anchor_words"] // JOINT_BIN, row["positive_words"] // JOINT_BIN
            if x < len(counts) and y < len(counts):
                counts[y, x] += row["pairs"]
        caption = "Length of both sides of the pairs; the line is the median"
        drawn.append((caption, plots.histograms(caption, sides, "words of a side")))
        labels = ("words of the anchor", "words of the positive", "pairs")
        caption = f"Both lengths together, below {JOINT_TOP} words"
        drawn.append((caption, plots.joint_histogram(caption, counts, JOINT_BIN, labels)))
    if scores := _histograms(report.statistics["quality_scores"], "score", "pairs"):
        caption = "Quality score of the pairs, from 0 to 1; the line is the median"
        drawn.append((caption, plots.histograms(caption, scores, "score", 0.05)))
    return drawn


def _downstream_figures(report: QualityReport) -> list[Figure]:
    rows = [r for r in report.statistics["downstream_statistics"] if r["source"] and r["split"]]
    values: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        if row["class_balance"] is not None:
            values[row["source"]][row["split"]] = row["class_balance"]
    splits = [split for split in SPLITS if any(split in found for found in values.values())]
    caption = "Class balance by split: 100 % when all labels are equally frequent"
    label = "entropy of the labels / maximum"
    return [(caption, plots.bars(caption, values, label, splits, share=True))] if values else []


def _language_figures(report: QualityReport) -> list[Figure]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in report.statistics["languages"]:
        counts[row["config"]][row["language"]] += row["rows"]
    drawn = []
    for config, found in sorted(counts.items()):
        total, most = sum(found.values()), sorted(found.items(), key=lambda item: (-item[1], item[0]))[:20]
        values = {name: {"share": number / total} for name, number in most}
        caption = f"Languages of the {config}" + (f", the first 20 of {len(found)}" if len(found) > 20 else "")
        drawn.append((caption, plots.bars(caption, values, "share of rows", ("share",), share=True)))
    return drawn


def _license_figures(report: QualityReport) -> list[Figure]:
    rows = report.statistics["licenses"]
    totals = Counter[str]()
    for row in sorted(rows, key=lambda row: CONFIGS.index(row["config"])):
        totals[row["config"]] += row["rows"]
    values: dict[str, dict[str, float]] = {}
    for row in sorted(rows, key=lambda row: (not row["redistributable"], row["license"])):
        name = row["license"].removeprefix("LicenseRef-") + (
            "" if row["redistributable"] else "\n(not to be passed on)"
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
"""Section -> its plots."""
