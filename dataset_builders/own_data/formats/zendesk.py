"""Zendesk Support: tickets with their comments, from the full JSON export or the API.

Full export: Admin Center > Account > Tools > Reports > Export > JSON, one ticket a line. API: `incremental/tickets`,
`tickets` or `search`, with the comments of `tickets/ID/comments` under `comments`.
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

_SYSTEM_USER = "-1"
"""Author of what Zendesk itself writes into a ticket."""


def recognises(probe: Probe) -> bool:
    """Whether one of the first records is a ticket with a requester.

    It has comments of authors, or is without them but has a submitter, a channel and a description.
    """
    return any(_is_ticket(record) for record in probe.records_below("tickets"))


def read(export: Export) -> Iterator[Item]:
    """A conversation for each ticket."""
    for line, record in export.records("tickets"):
        ticket = as_dict(as_dict(record).get("ticket")) or record
        if not isinstance(ticket, dict) or not _requester(ticket):
            yield bad_item("a ticket with `requester_id` and `comments`", ticket, line)
        elif not isinstance(ticket.get("comments"), list):
            reason = "the ticket has no `comments`, only its first text; export tickets together with their comments"
            yield BadItem(reason, ticket, line)
        else:
            yield _conversation(ticket, line)


def _is_ticket(record: Any) -> bool:
    ticket = as_dict(as_dict(record).get("ticket")) or as_dict(record)
    if not _requester(ticket):
        return False
    comments = dicts(ticket.get("comments"))
    if any("author_id" in c and ("public" in c or "html_body" in c or "plain_body" in c) for c in comments):
        return True
    return "submitter_id" in ticket and "via" in ticket and "description" in ticket


def _requester(ticket: dict[str, Any]) -> str:
    return as_text(ticket.get("requester_id")) or as_text(as_dict(ticket.get("requester")).get("id"))


def _conversation(ticket: dict[str, Any], line: int) -> Conversation:
    return Conversation(
        [_message(comment, ticket) for comment in dicts(ticket["comments"])],
        id=as_text(ticket.get("id")),
        line=line,
        scenario=subject(ticket.get("subject")),
        metadata=present(
            status=ticket.get("status"),
            priority=ticket.get("priority"),
            type=ticket.get("type"),
            channel=as_dict(ticket.get("via")).get("channel"),
            tags=ticket.get("tags"),
            satisfaction=as_dict(ticket.get("satisfaction_rating")).get("score"),
        ),
    )


def _message(comment: dict[str, Any], ticket: dict[str, Any]) -> Message:
    author = as_text(comment.get("author_id")) or as_text(as_dict(comment.get("author")).get("id"))
    html = as_text(comment.get("html_body"))
    text = html or as_text(comment.get("plain_body")) or as_text(comment.get("body"))
    message = Message(author, text, seconds(comment.get("created_at")), _role(author, ticket), is_html=bool(html))
    if comment.get("public") is False or author == _SYSTEM_USER:
        message.kind = "notice"
    elif says_nothing(text) and comment.get("attachments"):
        message.kind = "media"
    return message


def _role(author: str, ticket: dict[str, Any]) -> Speaker | None:
    """The requester is the user. People in copy are agents or customers: the ticket does not say which."""
    if author == _requester(ticket):
        return "user"
    agents = {as_text(ticket.get("assignee_id")), *_ids(ticket, "follower_ids")}
    return None if author in _ids(ticket, "email_cc_ids") and author not in agents else "system"


def _ids(ticket: dict[str, Any], key: str) -> list[str]:
    ids = ticket.get(key)
    return [as_text(each) for each in ids] if isinstance(ids, list) else []


FORMAT = Format(
    name="zendesk",
    title="Zendesk Support, JSON or NDJSON",
    rows="dialogues",
    looks=(
        ("tickets.ndjson", '{"id": 7, "requester_id": 1, "subject": "...", "comments": [{"author_id": 1, ...}], ...}'),
        ("tickets.json", '{"tickets": [{"id": 7, "requester_id": 1, "comments": [{"author_id": 1, ...}], ...}], ...}'),
    ),
    checked=(
        "support.zendesk.com article 4408886165402 (full JSON export); developer.zendesk.com/api-reference/ticketing: "
        "tickets, ticket comments, incremental export; schema api-evangelist/zendesk json-schema"
    ),
    recognises=recognises,
    read=read,
    roles="the requester is the user",
)
