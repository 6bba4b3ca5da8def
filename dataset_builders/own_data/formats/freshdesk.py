"""Freshdesk and Freshservice: tickets with their conversations, in JSON.

API v2: `tickets/ID?include=conversations`. Older exports and API v1: `{"helpdesk_ticket": {..., "notes": [...]}}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.own_data.export import Export, bad_item
from dataset_builders.own_data.formats.desk_texts import says_nothing, subject
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.json_values import as_dict, as_text, dicts, present
from dataset_builders.own_data.messages import BadItem, Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.turns.times import seconds
from dataset_builders.schema import Speaker

_OUTBOUND_EMAIL = 10
"""`source` of a ticket that an agent opened by writing to the customer."""

_NAMES = {
    "status": {2: "open", 3: "pending", 4: "resolved", 5: "closed"},
    "priority": {1: "low", 2: "medium", 3: "high", 4: "urgent"},
    "source": {1: "email", 2: "portal", 3: "phone", 7: "chat", 9: "feedback widget", 10: "outbound email"},
}


def recognises(probe: Probe) -> bool:
    """Whether one of the first records is a ticket with a requester.

    It is wrapped as `helpdesk_ticket`, has conversations with `incoming`, `private` and `body_text`, or is without them
    but has `responder_id`, `description_text` and `fr_escalated`.
    """
    return any(_is_ticket(record) for record in probe.records_below("tickets"))


def read(export: Export) -> Iterator[Item]:
    """A conversation for each ticket."""
    for line, record in export.records("tickets"):
        ticket = _ticket(record)
        if "requester_id" not in ticket:
            yield bad_item("a ticket with `requester_id`, `description` and `conversations` or `notes`", record, line)
        elif _notes(ticket) is None:
            reason = "the ticket has no `conversations` or `notes`, only its first text; export them with the tickets"
            yield BadItem(reason, record, line)
        else:
            yield _conversation(ticket, line)


def _ticket(record: Any) -> dict[str, Any]:
    ticket = as_dict(record)
    return as_dict(ticket.get("helpdesk_ticket") or ticket.get("ticket")) or ticket


def _notes(ticket: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The replies and notes; each may be wrapped: `{"note": {...}}`. None if the ticket was exported without."""
    notes = next((ticket[key] for key in ("conversations", "notes") if isinstance(ticket.get(key), list)), None)
    return None if notes is None else [as_dict(note.get("note")) or note for note in dicts(notes)]


def _is_ticket(record: Any) -> bool:
    ticket = _ticket(record)
    if "requester_id" not in ticket or "submitter_id" in ticket:  # the latter is Zendesk's
        return False
    if "helpdesk_ticket" in as_dict(record):
        return "description" in ticket or "notes" in ticket
    if any({"incoming", "private", "body_text"} <= note.keys() for note in _notes(ticket) or []):
        return True
    return {"responder_id", "description_text", "fr_escalated"} <= ticket.keys()


def _conversation(ticket: dict[str, Any], line: int) -> Conversation:
    is_outbound = ticket.get("source") == _OUTBOUND_EMAIL
    text, is_html = _text(ticket, "description")
    first = Message(
        as_text(ticket.get("responder_id" if is_outbound else "requester_id")),
        text,
        seconds(ticket.get("created_at")),
        "system" if is_outbound else "user",
        is_html=is_html,
    )
    return Conversation(
        [first, *(_message(note) for note in _notes(ticket) or [])],
        id=as_text(ticket.get("display_id")) or as_text(ticket.get("id")),
        line=line,
        scenario=subject(ticket.get("subject")),
        metadata=present(
            status=_name("status", ticket),
            priority=_name("priority", ticket),
            source=_name("source", ticket),
            type=ticket.get("type") or ticket.get("ticket_type"),
            tags=ticket.get("tags"),
        ),
    )


def _message(note: dict[str, Any]) -> Message:
    text, is_html = _text(note, "body")
    role: Speaker = "user" if note.get("incoming") else "system"
    message = Message(as_text(note.get("user_id")), text, seconds(note.get("created_at")), role, is_html=is_html)
    if note.get("private") or note.get("deleted"):
        message.kind = "notice"
    elif says_nothing(text) and note.get("attachments"):
        message.kind = "media"
    return message


def _text(record: dict[str, Any], key: str) -> tuple[str, bool]:
    """A text, and whether it is HTML.

    API v1 has HTML in `body_html` beside `body`, API v2 in `body` beside `body_text`.
    """
    html = as_text(record.get(f"{key}_html")) or (as_text(record.get(key)) if f"{key}_text" in record else "")
    return (html, True) if html else (as_text(record.get(key)) or as_text(record.get(f"{key}_text")), False)


def _name(key: str, ticket: dict[str, Any]) -> Any:
    value = ticket.get(key)
    return _NAMES[key].get(value, value) if isinstance(value, int) else value


FORMAT = Format(
    name="freshdesk",
    title="Freshdesk, JSON",
    rows="dialogues",
    looks=(
        ("tickets.json", '[{"id": 7, "requester_id": 1, "description_text": "...", "conversations": [...], ...}]'),
        ("Tickets0.json", '[{"helpdesk_ticket": {"display_id": 7, "description": "...", "notes": [{"note": ...}]}}]'),
    ),
    checked=(
        "developers.freshdesk.com/api: view a ticket with conversations, list all conversations; v1 answers as in the "
        "public clients that read helpdesk_ticket.notes[].note; schemas of singer-io/tap-freshdesk (conversations.json)"
    ),
    recognises=recognises,
    read=read,
    roles="incoming texts are the user's",
)
