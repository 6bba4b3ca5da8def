"""The bot answers what it knows, says what it does not, and survives what Telegram and a network do."""

import json
import queue
import runpy
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support.served_assistant import small_assistant

__all__ = ["small_assistant"]

BOT = Path(__file__).with_name("telegram_bot.py")
TOKEN = "12345:a-token-that-stays-secret"


class Telegram(ThreadingHTTPServer):
    """The part of Telegram's Bot API that a bot with long polling needs: https://core.telegram.org/bots/api.

    Attributes:
        sent: What the bot has sent.
        faults: Statuses with which the next requests are answered.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.updates, self.sent, self.faults = [], queue.Queue(), []
        self.changed = threading.Condition()

    def write(self, **message):
        """Send a message to the bot; returns its answer."""
        with self.changed:
            self.updates.append({"update_id": 100 + len(self.updates), **message})
            self.changed.notify_all()

    def get_updates(self, offset, timeout):
        def new():
            return [update for update in self.updates if update["update_id"] >= offset]

        with self.changed:
            self.changed.wait_for(new, timeout)
            return new()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        values = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, result = 200, True
        if self.path not in (f"/bot{TOKEN}/getUpdates", f"/bot{TOKEN}/sendMessage"):
            status = 404
        elif self.server.faults:
            status = self.server.faults.pop()
        elif self.path.endswith("getUpdates"):
            result = self.server.get_updates(values["offset"], min(values["timeout"], 5))
        else:
            self.server.sent.put((values["chat_id"], values["text"]))
        body = json.dumps({"ok": status == 200, "result": result}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Print nothing."""


@pytest.fixture
def telegram():
    server = Telegram()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def bot(telegram, small_assistant, tmp_path, monkeypatch):
    """Run the bot in a thread, in the folder `tmp_path`, until the test ends."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TELEGRAM_API", f"http://127.0.0.1:{telegram.server_port}")
    monkeypatch.setenv("TELEGRAM_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr("sys.argv", [str(BOT), str(small_assistant)])
    is_over = threading.Event()

    def pause(seconds):
        if is_over.is_set():
            raise SystemExit

    monkeypatch.setattr("time.sleep", pause)

    def run():
        with suppress(SystemExit):
            runpy.run_path(str(BOT), run_name="__main__")

    thread = threading.Thread(target=run)
    thread.start()
    yield thread
    is_over.set()
    telegram.faults += [500] * 3
    telegram.write()  # ends the long poll
    thread.join(30)
    assert not thread.is_alive()


def test_the_bot_answers_on_telegram(telegram, bot, tmp_path, capsys):
    telegram.faults += [502, 429]
    telegram.write(message={"chat": {"id": 7}, "text": "Can I bring my dog?"})
    assert telegram.sent.get(timeout=120) == (7, "Dogs are welcome in all rooms.")
    telegram.write(edited_message={"chat": {"id": 7}, "text": "not a new message"})
    telegram.write(message={"chat": {"id": 7}, "photo": []})
    telegram.write(message={"chat": {"id": 8}, "text": "§ § §"})
    chat, text = telegram.sent.get(timeout=60)
    assert (chat, text.startswith("I do not know. I can help with: ")) == (8, True)
    assert telegram.sent.empty()
    assert bot.is_alive()
    printed = capsys.readouterr().err
    assert (printed.count("HTTPStatusError"), TOKEN in printed) == (2, False)
    assert "§ § §" in (tmp_path / "unanswered.jsonl").read_text(encoding="utf-8")


def test_the_example_has_twenty_lines():
    code = BOT.read_text(encoding="utf-8").partition("from cube_model")[2].splitlines()[1:]
    assert len([line for line in code if line.strip()]) <= 20
