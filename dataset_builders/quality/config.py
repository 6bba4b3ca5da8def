"""The quality config: the action and limits of each filter, which `build` also writes into the dataset.

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
    """All filters with their actions and limits.

    Make one with `preset` or `load`. `none` keeps every row and flags nothing, `default` flags suspicious rows, and
    `strict` drops what `default` flags. Filters that define rows (a pair's `min_words`) are active in every preset.

    Attributes:
        base: The preset it started from.
        filters: One filter of each class, in the order of `FILTERS`.
    """

    base: Preset
    filters: tuple[Filter, ...]

    @property
    def masks(self) -> bool:
        """Whether a filter changes texts."""
        return any(check.action == "mask" for check in self.filters)

    @classmethod
    def preset(cls, name: Preset = "default") -> QualityConfig:
        """The config of a preset.

        Raises:
            DataError: The preset is unknown.
        """
        if name not in PRESETS:
            raise DataError(f"unknown quality preset {name!r}; expected {_expected()}")
        filters = (filter_class() for filter_class in FILTERS.values())
        action: dict[Preset, Any] = {"none": "off", "strict": "drop"}
        if name in action:
            filters = (f if f.defines_rows else replace(f, action=action[name]) for f in filters)
        return cls(name, tuple(filters))

    @classmethod
    def load(cls, text: str) -> QualityConfig:
        """The config that the option `--quality` names.

        Args:
            text: `none`, `default`, `strict`, or the path of a YAML or JSON file. The file gives filters an action or
                a mapping of action and limits; all others are as in its `preset` (`default` if it names none)::

                    preset: default
                    glued_sentences: drop
                    personal_data: {action: mask}
                    utterance_length: {action: drop, max_words: 120}

        Raises:
            DataError: The text is neither a preset nor a readable file, or the file has an unknown name or a bad value.
        """
        if text in PRESETS:
            return cls.preset(text)
        if not Path(text).exists():
            raise DataError(f"no quality preset or file {text}; expected {_expected()}")
        return cls.of(read_settings(Path(text), "filters with their settings"), text)

    @classmethod
    def of(cls, content: Mapping[str, Any], where: str) -> QualityConfig:
        """The config in the content of a file; see `load`.

        Args:
            content: Settings by filter, and `preset`.
            where: Name of the file, for messages.

        Raises:
            DataError: A name is unknown, or a value is bad.
        """
        name = content.get("preset", "default")
        if name not in PRESETS:
            raise DataError(f"{where}: preset: unknown preset {name!r}; expected {', '.join(PRESETS)}")
        if unknown := [key for key in content if key not in FILTERS and key != "preset"]:
            raise DataError(f"{where}: unknown filter {unknown[0]!r}; expected preset or any of {', '.join(FILTERS)}")
        base = cls.preset(name)
        filters = (_changed(f, content[f.name], where) if f.name in content else f for f in base.filters)
        return replace(base, filters=tuple(filters))

    def as_dict(self) -> dict[str, Any]:
        """The config as plain values, for the dataset's report; `of` makes an equal config from them."""
        return {"preset": self.base, **{f.name: asdict(f) for f in self.filters}}

    def with_min_words(self, min_words: int) -> QualityConfig:
        """The config with this `min_words` for pairs: both sides need more words."""
        filters = (replace(f, min_words=min_words) if isinstance(f, PairLength) else f for f in self.filters)
        return replace(self, filters=tuple(filters))

    def get(self, kind: type[AnyFilter]) -> AnyFilter:
        """The filter of a class, as in `config.get(PairLength).min_words`."""
        return next(f for f in self.filters if isinstance(f, kind))

    def __getitem__(self, name: str) -> Filter:
        return self.filters[list(FILTERS).index(name)]


def _expected() -> str:
    return f"{', '.join(PRESETS)} or a YAML or JSON file"


def _changed(old: Filter, content: Any, file: str) -> Filter:
    """The filter with the settings of a file."""
    settings = content if isinstance(content, dict) else {"action": content}
    limits = {f.name: f for f in fields(old)}
    for key, value in settings.items():
        where = f"{file}: {old.name}.{key}"
        if key not in limits:
            raise DataError(f"{where}: unknown setting; {old.name} has {', '.join(limits)}")
        if key == "action":
            value = "off" if value is False else value  # YAML 1.1 reads a bare off as false
            if value not in old.actions:
                raise DataError(f"{where}: expected {', '.join(old.actions)}, found {value!r}")
        else:
            low, high = limits[key].metadata["low"], limits[key].metadata["high"]
            whole = limits[key].type == "int"
            is_number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
            if not is_number or not low <= value <= high:
                kind = "a whole number" if whole else "a number"
                bounds = f"from {low:g} to {high:g}" if high < float("inf") else f"of at least {low:g}"
                raise DataError(f"{where}: expected {kind} {bounds}, found {value!r}")
        old = replace(old, **{key: value})
    return old
