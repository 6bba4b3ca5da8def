"""What a hostile address, site or text can do to the dashboard and to a terminal: nothing."""

import asyncio
import builtins
import csv as csv_reader
import io
import json
import os
import re
from dataclasses import fields

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from dataset_builders.common.own_names import is_own, is_public, own_names
from dataset_builders.common.terminal import visible
from dataset_builders.dashboard.guard import OwnNames, has_token, new_token
from dataset_builders.dashboard.page import csv, plain
from dataset_builders.dashboard.settings import Settings

HOSTILE = [
    "![x](https://evil.example/pixel.png)",
    "[click me](https://evil.example)",
    "<https://evil.example> <img src=https://evil.example/a.png>",
    "https://evil.example www.evil.example me@evil.example",
    "# heading\n\n* list\n\n> quote\n\n| a | b |\n|---|---|\n| c | d |",
    ":red[red] :material/home: $x^2$ `code` **bold** ~~gone~~ &copy;",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(text):
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(plain(text))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert {child.type for child in tokens[1].children} <= {"text", "text_special"}
    shown = "".join(child.content for child in tokens[1].children)
    assert shown.replace("\u2060", "") == " ".join(text.split())
    # GitHub's Markdown looks for addresses in this text, whatever was escaped
    assert not re.search(r"https?://\S|www\.\S|[\w.+-]@[\w.-]", shown)
    assert plain("a.b: - 1,234") == "a\\.b\\: - 1,234"


@pytest.fixture
def answer():
    """What the page answers to a request: its kind and `Host` headers -> status, or the code of a closed websocket."""

    async def page(scope, receive, send):
        await send({"type": "reached", "status": 200})

    def ask(kind, *hosts, names=("localhost", "corpus.example")):
        sent = []

        async def send(message):
            sent.append(message)

        scope = {"type": kind, "headers": [(b"host", host.encode()) for host in hosts]}
        asyncio.run(OwnNames(page, names)(scope, None, send))
        return sent[0].get("status", sent[0].get("code"))

    return ask


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_foreign_name_is_refused(answer, kind):
    """A site can point its own name at this machine (DNS rebinding); then `Host` and `Origin` are its name."""
    refused = {"http": 421, "websocket": 1008}[kind]
    for host in ("localhost:8501", "LOCALHOST", "127.0.0.1:8501", "[::1]:8501", "10.1.2.3:80", "corpus.example"):
        assert answer(kind, host) == 200
    for host in ("evil.example:8501", "localhost.evil.example", "127.0.0.1.evil.example", "", "[evil.example]:1"):
        assert answer(kind, host) == refused
    assert answer(kind) == refused
    assert answer(kind, "localhost", "evil.example") == refused
    assert answer("lifespan", "evil.example") == 200


def test_public_addresses_have_a_token_and_the_names_of_the_machine():
    assert [is_public(host) for host in ("localhost", "127.0.0.1", "::1")] == [False] * 3
    assert [is_public(host) for host in ("0.0.0.0", "::", "10.0.0.1", "corpus.example")] == [True] * 4
    assert own_names("localhost") == {"localhost"}
    assert {"0.0.0.0", "localhost", "corpus.example"} < own_names("0.0.0.0", ["Corpus.example"])
    token = new_token()
    assert len(token) > 20
    assert (has_token(token, token), has_token(token, ""), has_token(token, "ä"), has_token("", "")) == (
        *(True, False, False),
        True,
    )
    assert is_own("0.0.0.0:8501", ())


def test_a_spreadsheet_takes_no_text_for_a_formula():
    texts = ["=1+1", "+7 495", "-x", "@SUM(A1)", "\t=1", "\r=1", "Hello =1", "", "'=1"]
    frame = pd.DataFrame({"text": texts, "number": range(-3, 6), "list": [["=1"]] * 9})
    rows = list(csv_reader.DictReader(io.StringIO(csv(frame).decode("utf-8-sig"), newline="")))
    assert [row["text"] for row in rows] == ["'=1+1", "'+7 495", "'-x", "'@SUM(A1)", "'\t=1", "'\n=1", *texts[6:]]
    assert [row["number"] for row in rows] == [str(number) for number in range(-3, 6)]


ESCAPES = "a\x1b[31mred\x07\x9b2J\x7f\r\nb\tc"


def test_escape_sequences_are_shown_instead_of_obeyed(capsys, monkeypatch):
    from dataset_builders.database import printing

    class Rows(list):
        columns = ("text",)

    assert visible(ESCAPES) == "a\\x1b[31mred\\x07\\x9b2J\\x7f\\x0d\nb\tc"
    printing.print_answer(Rows([(ESCAPES,)]), printing.Format.table)
    assert not set("\x1b\x07\x9b\x7f") & set(capsys.readouterr().out)
    printing.print_answer(Rows([(ESCAPES,)]), printing.Format.json)
    out = capsys.readouterr().out
    assert not set("\x1b\x07\x9b\x7f") & set(out)
    assert json.loads(out) == [{"text": ESCAPES}]
    printing.print_answer(Rows([(ESCAPES,)]), printing.Format.csv)
    assert "\x1b[31m" in capsys.readouterr().out  # for programs
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    printing.print_answer(Rows([(ESCAPES,)]), printing.Format.csv)
    assert not set("\x1b\x07\x9b\x7f") & set(capsys.readouterr().out)


def test_errors_and_answers_print_no_escape_sequences(capsys):
    from cube_model.inference.ask import _show
    from cube_model.inference.retriever import Answer
    from dataset_builders.common.command_line import _print_error

    _print_error(f"{ESCAPES}: damaged")
    _show(ESCAPES, [Answer(1.0, ESCAPES, ESCAPES, ESCAPES)])
    printed = capsys.readouterr()
    assert "\\x1b[31mred" in printed.err
    assert not set("\x1b\x07\x9b\x7f") & set(printed.out + printed.err)


def test_no_file_is_opened_because_an_address_names_it(page, settings, tmp_path, monkeypatch):
    secret, seen = tmp_path / "secret.txt", []
    secret.write_text("secret")
    for module, name in ((builtins, "open"), (io, "open"), (os, "open"), (os, "stat")):

        def spy(path, *args, whole=getattr(module, name), **options):
            seen.append(path)
            return whole(path, *args, **options)

        monkeypatch.setattr(module, name, spy)
    settings(decisions=str(tmp_path / "decisions.jsonl"))
    names = [field.name for field in fields(Settings)]
    names += ["board", "core", "flow", "assistant", "dialogue", "rows", "q", "in", "by", "sql", "tested", "trained"]
    for tab in ("dialogs", "search", "explorer", "model", "ask", "flow", "sql"):
        at = page(**dict.fromkeys(names, str(secret)), tab=tab)
        assert not at.exception
        assert "secret\n" not in " ".join(each.value for each in [*at.text, *at.markdown])
    assert seen
    assert not [path for path in seen if str(path) == str(secret)]


def test_an_address_adds_no_image_to_the_page_and_asks_no_core_without_the_token(page, settings, tmp_path):
    at = page(tab="explorer", kind="dialogues", dialogue=HOSTILE[0])
    (hint,) = (info.value for info in at.info)
    assert plain(HOSTILE[0]) in hint
    (tmp_path / "training.json").write_text(json.dumps({"history": [{"epoch": 0, "loss": 1.0}]}))
    settings(cores=(str(tmp_path),), token="secret")
    for address in ({}, {"token": "guess"}):
        assert "the link with a token" in " ".join(info.value for info in page(tab="model", **address).info)
    at = page(tab="model", token="secret")
    assert "the link with a token" not in " ".join(info.value for info in at.info)
    assert "A question" in [widget.label for widget in at.text_input]
