"""Which filters do what: one typed value, written into the dataset as it was used.

>>> QualityConfig.preset("strict")["markup"].action
'drop'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from dataset_builders.common.errors import DataError
from dataset_builders.common.options import read_settings
from dataset_builders.quality.filters import FILTERS, Filter
from dataset_builders.quality.filters.pair_length import PairLength

Preset = Literal["none", "default", "strict"]

PRESETS: tuple[Preset, ...] = get_args(Preset)

AnyFilter = TypeVar("AnyFilter", bound=Filter)


@dataclass(frozen=True)
class QualityConfig:
    """Every filter with its action and limits.

    Make one with `preset` or `load`. `none` keeps every row and flags nothing, `default` flags what looks wrong,
    `strict` drops what `default` flags. What defines a row (a pair's `min_words`) holds in all of them.

    Attributes:
        base: The preset it started from.
        filters: One of each of `FILTERS`, in that order.
    """

    base: Preset
    filters: tuple[Filter, ...]

    @classmethod
    def preset(cls, name: Preset = "default") -> QualityConfig:
        """A ready-made config.

        Raises:
            DataError: There is no such preset.
        """
        if name not in PRESETS:
            raise DataError(f"no quality preset {name!r}; expected {', '.join(PRESETS)} or a YAML or JSON file")
        filters = (filter_class() for filter_class in FILTERS.values())
        action: dict[Preset, Any] = {"none": "off", "strict": "drop"}
        if name in action:
            filters = (f if f.defines_rows else replace(f, action=action[name]) for f in filters)
        return cls(name, tuple(filters))

    @classmethod
    def load(cls, text: str) -> QualityConfig:
        """A config from what `--quality` says.

        Args:
            text: `none`, `default`, `strict`, or a YAML or JSON file. The file names filters with an action or with a
                mapping of action and limits; the rest is as in its `preset` (`default` where it names none)::

                    preset: default
                    glued_sentences: drop
                    personal_data: {action: mask}
                    utterance_length: {action: drop, max_words: 120}

        Raises:
            DataError: Neither a preset nor a readable file, or the file holds an unknown name or a bad value.
        """
        if text in PRESETS:
            return cls.preset(text)
        if not Path(text).exists():
            expected = f"{', '.join(PRESETS)} or a YAML or JSON file"
            raise DataError(f"no quality preset or file {text}; expected {expected}")
        return cls.of(read_settings(Path(text), "filters with their settings"), text)

    @classmethod
    def of(cls, content: Mapping[str, Any], where: str) -> QualityConfig:
        """A config from what stands in a file; see `load`.

        Args:
            content: Filters with their settings, and `preset`.
            where: The file, for messages.

        Raises:
            DataError: An unknown name or a bad value.
        """
        name = content.get("preset", "default")
        if name not in PRESETS:
            raise DataError(f"{where}: preset: no preset {name!r}; expected {', '.join(PRESETS)}")
        if unknown := [key for key in content if key not in FILTERS and key != "preset"]:
            raise DataError(f"{where}: no filter {unknown[0]!r}; expected preset or any of {', '.join(FILTERS)}")
        base = cls.preset(name)
        filters = (_changed(f, content[f.name], where) if f.name in content else f for f in base.filters)
        return replace(base, filters=tuple(filters))

    def as_dict(self) -> dict[str, Any]:
        """Plain values: what stands in the dataset's report, and what `load` reads back to an equal config."""
        return {"preset": self.base, **{f.name: asdict(f) for f in self.filters}}

    def with_min_words(self, min_words: int) -> QualityConfig:
        """The config with another `min_words` of pairs (exclusive)."""
        filters = (replace(f, min_words=min_words) if isinstance(f, PairLength) else f for f in self.filters)
        return replace(self, filters=tuple(filters))

    def get(self, kind: type[AnyFilter]) -> AnyFilter:
        """The filter of a class, typed: `config.get(PairLength).min_words`."""
        return next(f for f in self.filters if isinstance(f, kind))

    def __getitem__(self, name: str) -> Filter:
        return self.filters[list(FILTERS).index(name)]


def _changed(old: Filter, given: Any, place: str) -> Filter:
    """The filter with the settings a file gives."""
    settings = given if isinstance(given, dict) else {"action": given}
    known = {f.name: f for f in fields(old)}
    for key, value in settings.items():
        where = f"{place}: {old.name}.{key}"
        if key not in known:
            raise DataError(f"{where}: no such setting; {old.name} has {', '.join(known)}")
        if key == "action":
            value = "off" if value is False else value  # YAML 1.1 reads a bare off as false
            if value not in old.actions:
                raise DataError(f"{where}: expected {', '.join(old.actions)}, found {value!r}")
        else:
            low, high = known[key].metadata["low"], known[key].metadata["high"]
            whole = known[key].type == "int"
            if (
                isinstance(value, bool)
                or not isinstance(value, int if whole else (int, float))
                or not low <= value <= high
            ):
                kind = "a whole number" if whole else "a number"
                bounds = f"from {low:g} to {high:g}" if high < float("inf") else f"of at least {low:g}"
                raise DataError(f"{where}: expected {kind} {bounds}, found {value!r}")
        old = replace(old, **{key: value})
    return old
