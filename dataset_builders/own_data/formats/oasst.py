"""OpenAssistant conversations (oasst1, oasst2): trees of messages, or their messages as flat rows, in JSON Lines.

A tree makes one dialogue, along the best answers: the reply with the lowest rank; among replies without ranks (those
of people are never ranked) the first one with the longest thread below it. This is what models are usually trained on.
Messages that were deleted or failed their review are no part of a dialogue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_files import id_of, metadata, most_fit, raw_records
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text, dicts
from dataset_builders.own_data.messages import BadItem, Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.turns.times import seconds
from dataset_builders.schema import Speaker

_ROLES: dict[str, Speaker] = {"prompter": "user", "assistant": "system"}


def recognises(probe: Probe) -> bool:
    """Whether the records are trees with a `prompt`, or messages of trees, of OpenAssistant's roles."""
    return most_fit(probe, _is_tree) or most_fit(probe, _is_message)


def read(export: Export) -> Iterator[Item]:
    """A conversation for each tree."""
    is_flat = next((_is_message(as_dict(record)) for _, record in raw_records(export, _fits)), False)
    yield from _flat(export) if is_flat else _trees(export)


def _fits(record: dict[str, Any]) -> bool:
    return _is_tree(record) or _is_message(record)


def _is_tree(record: dict[str, Any]) -> bool:
    return "message_tree_id" in record and as_text(as_dict(record.get("prompt")).get("role")) in _ROLES


def _is_message(record: dict[str, Any]) -> bool:
    return {"message_id", "message_tree_id", "text"} <= record.keys() and as_text(record.get("role")) in _ROLES


def _trees(export: Export) -> Iterator[Item]:
    for line, record in raw_records(export, _fits):
        if isinstance(record, dict) and _is_tree(record):
            yield from _conversation(record["prompt"], record, line)
        else:
            yield bad_item("a tree with `message_tree_id` and `prompt`", record, line)


def _flat(export: Export) -> Iterator[Item]:
    """The trees of a file with a row for each message: a first pass counts them, so that only unfinished trees wait."""
    rows = (as_dict(record) for _, record in raw_records(export, _fits))
    remaining = Counter(as_text(row["message_tree_id"]) for row in rows if _is_message(row))
    unfinished: dict[str, list[dict[str, Any]]] = {}
    first_line: dict[str, int] = {}
    for line, record in raw_records(export, _fits):
        if not isinstance(record, dict) or not _is_message(record):
            yield bad_item("a message with `message_id`, `message_tree_id`, `role` and `text`", record, line)
            continue
        tree = as_text(record["message_tree_id"])
        unfinished.setdefault(tree, []).append(record)
        first_line.setdefault(tree, line)
        remaining[tree] -= 1
        if not remaining[tree]:
            yield from _from_rows(unfinished.pop(tree), first_line.pop(tree))


def _from_rows(rows: list[dict[str, Any]], line: int) -> Iterator[Item]:
    nodes = {as_text(row["message_id"]): {**row, "replies": []} for row in rows}
    for node in nodes.values():
        parent = as_text(node.get("parent_id"))
        if parent and parent in nodes:
            nodes[parent]["replies"].append(node)
    root = next((node for node in nodes.values() if not as_text(node.get("parent_id"))), None)
    if root is None:
        yield BadItem("expected one message of the tree to have no `parent_id`", rows[0], line)
    else:
        yield from _conversation(root, rows[0], line)


def _conversation(root: dict[str, Any], tree: dict[str, Any], line: int) -> Iterator[Item]:
    path = _best_path(root)
    if not path:  # its first message was deleted or failed its review
        return
    yield Conversation(
        [
            Message(node["role"], as_text(node.get("text")), seconds(node.get("created_date")), _ROLES[node["role"]])
            for node in path
        ],
        id=id_of(tree["message_tree_id"]),
        line=line,
        language=as_text(root.get("lang")) or None,
        metadata=metadata(tree, "tree_state"),
    )


def _best_path(root: dict[str, Any]) -> list[dict[str, Any]]:
    path: list[dict[str, Any]] = []
    replies = _usable([root])
    while replies:
        ranked = [reply for reply in replies if isinstance(reply.get("rank"), int | float)]
        path.append(min(ranked, key=lambda reply: reply["rank"]) if ranked else max(replies, key=_depth))
        replies = _usable(path[-1].get("replies"))
    return path


def _depth(node: dict[str, Any]) -> int:
    """Number of messages of the longest thread from a message on."""
    depth, level = 0, [node]
    while level:
        depth, level = depth + 1, [reply for each in level for reply in _usable(each.get("replies"))]
    return depth


def _usable(nodes: Any) -> list[dict[str, Any]]:
    return [
        node
        for node in dicts(nodes)
        if as_text(node.get("role")) in _ROLES
        and node.get("deleted") is not True
        and node.get("review_result") is not False
    ]


FORMAT = Format(
    name="oasst",
    title="OpenAssistant trees or messages, JSON Lines",
    rows="dialogues",
    looks=(
        (
            "ready.trees.jsonl",
            '{"message_tree_id": "...", "prompt": {"role": "prompter", "text": "...", "replies": [...]}}',
        ),
        (
            "all.messages.jsonl",
            '{"message_id": "...", "message_tree_id": "...", "role": "prompter", "text": "...", ...}',
        ),
    ),
    checked="LAION-AI/Open-Assistant oasst-data/oasst_data/schemas.py and oasst-data/examples/tree_to_messages.py",
    recognises=recognises,
    read=read,
    roles="`role`: prompter asks, assistant answers",
)
