"""Exports of Telegram and Zendesk: from the file to a trained core and an answer to a question."""

import json

import pytest
from typer.testing import CliRunner

from support.tiny_teacher import save_tiny_distilbert

THINGS = ["kettle", "cup", "tea pot", "spoon", "filter", "tin", "scale", "thermometer", "tray", "whisk", "bowl", "mug"]
ASKS = ["Where is my {}?", "Can I return the {}?", "Is the {} in stock?", "What does the {} cost?"]
ANSWERS = [
    "The {} arrives on Monday.",
    "Yes, send the {} back to us.",
    "We have one {} left.",
    "The {} costs ten euros.",
]
EXCHANGES = [(q.format(t), a.format(t)) for t in THINGS for q, a in zip(ASKS, ANSWERS, strict=True)]


def telegram(folder):
    """A single chat of Telegram Desktop, with a day between two conversations."""
    messages = [
        {"id": 2 * day + i, "type": "message", "date_unixtime": str(1769860800 + 86400 * day + 60 * i), "from": name,
         "from_id": f"user{i}", "text": text}
        for day, exchange in enumerate(EXCHANGES) for i, (name, text) in enumerate(zip(("Ann", "Lena"), exchange, strict=True))
    ]  # fmt: skip
    path = folder / "result.json"
    path.write_text(json.dumps({"name": "Ann", "type": "personal_chat", "id": 1, "messages": messages}))
    return path, ["--system-speaker", "Lena"]


def zendesk(folder):
    """Tickets of Zendesk, with their comments."""
    tickets = [
        {
            "id": number, "url": f"https://tea.zendesk.com/api/v2/tickets/{number}.json", "subject": "Tea", "status": "solved",
            "requester_id": 9, "submitter_id": 9, "assignee_id": 7,
            "comments": [
                {"id": i, "type": "Comment", "author_id": author, "body": text, "public": True, "created_at": f"2026-03-02T08:0{i}:00Z"}
                for i, (author, text) in enumerate(zip((9, 7), exchange, strict=True))
            ],
        }
        for number, exchange in enumerate(EXCHANGES, start=100)
    ]  # fmt: skip
    path = folder / "tickets.ndjson"
    path.write_text("\n".join(map(json.dumps, tickets)))
    return path, []


@pytest.mark.parametrize("export", [telegram, zendesk])
def test_from_an_export_to_a_core_that_answers(tmp_path, cache_folder, monkeypatch, export):
    import dialogue_cube

    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(cache_folder))
    path, options = export(tmp_path)
    teacher, data, core = save_tiny_distilbert(tmp_path / "teacher", dimension=32), tmp_path / "data", tmp_path / "core"
    for command in (
        ["build", "--own", path, *options, "--name", "shop", "--out", data],
        ["train", "--data", data, "--teacher", teacher, "--output", core, "--epochs", "1"],
        ["ask", "--model", core, "--data", data, "--teacher", teacher, "Where is my kettle?"],
    ):
        done = CliRunner().invoke(dialogue_cube.app, list(map(str, command)))
        assert not done.exit_code, (command, done.output, done.exception)
    assert any(answer in " ".join(done.output.split()) for _, answer in EXCHANGES)
