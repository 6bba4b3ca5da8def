"""YAML as nodes, which keep the line of each value, and the text of scalars as written (`yes` is not true)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dataset_builders.own_data.rejects import BadRecord

if TYPE_CHECKING:
    from yaml.nodes import Node


def compose(text: str) -> Node | None:
    """The outermost node of a YAML document; None if it is empty.

    Raises:
        BadRecord: It is not valid YAML.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        raise BadRecord(f"{place}not valid YAML ({getattr(error, 'problem', None) or error})") from error


def value_at(node: Node | None, key: str) -> Node | None:
    """The value of a key in a mapping; None if there is none."""
    return next((value for name, value in mapping(node) if name == key), None)


def mapping(node: Node | None) -> Iterator[tuple[str, Node]]:
    """The keys and values of a mapping; none for anything else."""
    if node is not None and node.id == "mapping":
        yield from ((scalar(key), value) for key, value in node.value)


def elements(node: Node | None) -> list[Node]:
    """The elements of a sequence; none for anything else."""
    return node.value if node is not None and node.id == "sequence" else []


def scalar(node: Node | None) -> str:
    """The text of a scalar; empty for anything else, and for null."""
    if node is None or node.id != "scalar" or node.tag.endswith(":null"):
        return ""
    return str(node.value)


def line_of(node: Node) -> int:
    """The line that a node begins on, from 1."""
    return int(node.start_mark.line) + 1
