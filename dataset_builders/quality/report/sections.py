"""The sections of a quality report in reading order."""

from __future__ import annotations

from dataset_builders.quality.report import check_tables, corpus_tables
from dataset_builders.quality.report.read import UNCHECKED, QualityReport
from dataset_builders.quality.report.tables import Section

SECTIONS = (
    check_tables.rows_section,
    check_tables.drops_section,
    check_tables.flags_section,
    check_tables.duplicates_section,
    check_tables.leaks_section,
    corpus_tables.dialogues_section,
    corpus_tables.pairs_section,
    corpus_tables.downstream_section,
    corpus_tables.languages_section,
    corpus_tables.licenses_section,
    corpus_tables.words_section,
)


def sections(report: QualityReport) -> list[Section]:
    """All sections; one that has nothing to say about this folder is left out."""
    made = [section(report) for section in SECTIONS]
    unchecked = [section.title for section in made if section.note == UNCHECKED]
    told = [section for section in made if section.note != UNCHECKED and (section.note or section.tables)]
    return [*([Section("unchecked", ", ".join(unchecked), UNCHECKED)] if unchecked else []), *told]
