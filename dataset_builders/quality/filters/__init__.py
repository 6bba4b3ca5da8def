"""The quality filters, one small file each.

To add a filter, write a frozen dataclass that extends `base.Filter` (or `base.TextFilter` if it judges single texts)
and list it in `FILTERS`; the config, the screen and the report take it from there.
"""

from __future__ import annotations

from dataset_builders.quality.filters.base import Filter
from dataset_builders.quality.filters.conflicting_labels import ConflictingLabels
from dataset_builders.quality.filters.dialogue_length import DialogueLength
from dataset_builders.quality.filters.empty_dialogue import EmptyDialogue
from dataset_builders.quality.filters.encoding import Encoding
from dataset_builders.quality.filters.glued_sentences import GluedSentences
from dataset_builders.quality.filters.markup import Markup
from dataset_builders.quality.filters.one_sided import OneSided
from dataset_builders.quality.filters.pair_length import PairLength
from dataset_builders.quality.filters.personal_data import PersonalData
from dataset_builders.quality.filters.relatedness import Relatedness
from dataset_builders.quality.filters.repeated_turns import RepeatedTurns
from dataset_builders.quality.filters.utterance_length import UtteranceLength
from dataset_builders.quality.filters.wrong_language import WrongLanguage

FILTERS: dict[str, type[Filter]] = {
    cls.name: cls
    for cls in (
        EmptyDialogue,
        PairLength,
        DialogueLength,
        OneSided,
        UtteranceLength,
        RepeatedTurns,
        Encoding,
        Markup,
        GluedSentences,
        WrongLanguage,
        PersonalData,
        ConflictingLabels,
        Relatedness,
    )
}
"""Filter class by name. The first filter that objects drops a row: those that define rows, then the cheap ones."""

__all__ = ["FILTERS", "Filter"]
