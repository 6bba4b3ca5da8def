"""Rows that the dataset card shows: short ones, as `load_dataset` returns them."""

from __future__ import annotations

import json
import pprint
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataset_builders.card.views import View
from dataset_builders.common.listing import list_files
from dataset_builders.schema import Config, Split

_CANDIDATES = 50
"""Number of rows at the beginning of a config to choose from."""

_LENGTH = 400
"""Length up to which a row is short, in characters."""

_CELL = 60
"""Maximum length of a value in a table, in characters."""


@dataclass(frozen=True)
class Call:
    """A call that loads one row.

    Attributes:
        code: The expression.
        result: Its value as Python prints it, in lines.
        note: What the value means, if it does not say so itself.
    """

    code: str
    result: list[str]
    note: str = ""


def loading_calls(folder: Path, configs: Sequence[View], repo_id: str) -> list[Call]:
    """A call for each config that shows one of its rows; of a dialogue, its first turn.

    Args:
        folder: Folder with the rows.
        configs: Its configs.
        repo_id: What the calls load.
    """
    calls = []
    for view in configs:
        split = next(iter(view.rows))
        if view.columns is None and view.stored != "dialogues":
            continue  # the tables of columns show a row
        number, row = _sample(folder, view.stored, split, view)
        code = f'load_dataset("{repo_id}", "{view.name}", split="{split}")[{number}]'
        note = ""
        if view.labels:
            row, note = _as_classes(row, view.labels)
        elif view.columns is None and row["turns"]:
            code, row = f'{code}["turns"][0]', row["turns"][0]
        calls.append(Call(code, pprint.pformat(row, width=110, sort_dicts=False).splitlines(), note))
    return calls


def _as_classes(row: dict[str, Any], names: Sequence[str]) -> tuple[dict[str, Any], str]:
    """A row with the numbers of its classes, as `datasets` loads it, and what they mean."""
    if "label" in row:
        number = names.index(row["label"])
        return row | {"label": number}, f"{number} is {row['label']}"
    labels = [name for name in row["labels"] if name is not None]
    numbers = [names.index(name) for name in labels]
    meanings = (f"{number} is {name}" for number, name in zip(numbers, labels, strict=True))
    return row | {"labels": numbers}, ", ".join(meanings)


def example_row(folder: Path, config: Config, split: Split) -> dict[str, str]:
    """A row as text: column -> value, cut to the width of a table."""
    _, row = _sample(folder, config, split)
    return {name: _cell(value) for name, value in row.items()}


def _sample(folder: Path, config: Config, split: Split, view: View | None = None) -> tuple[int, dict[str, Any]]:
    """A good row of a config or view, and its number.

    Best is a row with turns or a label, then one that may be passed on, a question with its answer, and one that has
    annotations, in this order; then a short one.
    """
    rows = next(table for table in _row_groups(folder, config, split, view) if len(table)).slice(0, _CANDIDATES)
    candidates = rows.to_pylist()

    def cost(number: int) -> tuple[bool, bool, bool, bool, int, int]:
        row = candidates[number]
        is_question = (row.get("anchor_speaker"), row.get("positive_speaker")) == ("user", "system")
        first = (row.get("turns") or [None])[0]
        shown = first or row
        is_bare = not any((shown.get("annotations") or {"": True}).values())
        overlong = max(0, len(json.dumps(shown, ensure_ascii=False)) - _LENGTH)
        is_empty = ("turns" in row and not first) or ("label" in row and not row["label"])
        return is_empty, not row["redistributable"], not is_question, is_bare, overlong, number

    number = min(range(len(candidates)), key=cost)
    names = rows.column_names if view is None or view.columns is None else view.columns
    return number, {name: candidates[number][name] for name in names}


def _row_groups(folder: Path, config: Config, split: Split, view: View | None) -> Iterator[pa.Table]:
    names = None
    if view is not None and view.columns is not None:
        directions = ["anchor_speaker", "positive_speaker"] if config == "pairs" else []
        conditions = [column for column, _, _ in view.filters]
        names = list(dict.fromkeys([*view.columns, *conditions, *directions, "redistributable"]))
    for shard in list_files(folder / config, f"{split}-*.parquet"):
        with pq.ParquetFile(shard) as file:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group, names)
                if view is not None and view.filters:
                    rows = rows.filter(pq.filters_to_expression(list(view.filters)))
                yield rows


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(_rounded(value), ensure_ascii=False)
    text = " ".join(text.split())
    return f"{text[: _CELL - 1]}…" if len(text) > _CELL else text


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 2)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list) else value
