"""The quality report as one self-contained HTML file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from dataset_builders.quality.report import check_tables, corpus_tables
from dataset_builders.quality.report.figures import FIGURES, Figure, leak_totals
from dataset_builders.quality.report.read import UNCHECKED, QualityReport
from dataset_builders.quality.report.tables import Section, shown
from dataset_builders.schema import CONFIGS

SECTIONS = (
    check_tables.rows_section,
    check_tables.drops_section,
    check_tables.flags_section,
    check_tables.duplicates_section,
    check_tables.leaks_section,
    corpus_tables.dialogues_section,
    corpus_tables.pairs_section,
    corpus_tables.downstream_section,
    corpus_tables.annotations_section,
    corpus_tables.languages_section,
    corpus_tables.licenses_section,
    corpus_tables.words_section,
)


def page(report: QualityReport) -> str:
    """The report as HTML; equal reports give equal text.

    Raises:
        DataError: matplotlib is not installed.
    """
    return render(report, {key: draw(report) for key, draw in FIGURES.items()})


def render(report: QualityReport, figures: Mapping[str, list[Figure]]) -> str:
    """The report as HTML with these plots.

    Args:
        report: Numbers of the report.
        figures: Plots by the key of their section.
    """
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = Path(__file__).with_name("page.html.jinja").read_text(encoding="utf-8")
    private = {e["license"] for e in report.statistics["drop_examples"] if not e["redistributable"]}
    return environment.from_string(template).render(
        report=report,
        sections=sections(report),
        tiles=_tiles(report),
        figures=figures,
        private_licenses=sorted(private),
    )


def _tiles(report: QualityReport) -> list[tuple[str, str]]:
    """The most important figures: (number, caption)."""
    numbers = report.statistics
    rows = Counter[str]()
    for row in numbers["licenses"]:
        rows[row["config"]] += row["rows"]
        rows["public"] += row["rows"] if row["redistributable"] else 0
    names = {"dialogues": "dialogues", "pairs": "pairs", "downstream": "labelled utterances"}
    tiles = [(shown(rows[config], ","), name) for config, name in names.items() if rows[config]]
    total = sum(rows[config] for config in CONFIGS)
    if total:
        tiles.append((shown(rows["public"] / total, ".0%"), "of rows may be redistributed"))
    if "rows" in report.built:
        tiles.append((shown(sum(row["rows"] for row in numbers["drop_counts"]), ","), "rows dropped"))
    if leaks := report.built.get("leaks"):
        before, after = (sum(leak_totals(leaks[time]).values()) for time in ("before", "after"))
        tiles.append((f"{before:,} → {after:,}", "leaks before → after"))
    return tiles


def sections(report: QualityReport) -> list[Section]:
    """The sections of a report without the empty ones; one section names all that were not checked."""
    all_sections = [section(report) for section in SECTIONS]
    unchecked = [section.title for section in all_sections if section.note == UNCHECKED]
    checked = [section for section in all_sections if section.note != UNCHECKED and (section.note or section.tables)]
    return [*([Section("unchecked", ", ".join(unchecked), UNCHECKED)] if unchecked else []), *checked]
