"""Chats, mail and subtitles: what is no chat, what is not evident, and parts that are not as the format says."""

import json
import random

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.own_data import load
from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.registry import all_formats
from dataset_builders.own_data.formats.shared.mail_quotes import is_forwarded, own_words, without_answer_marks
from dataset_builders.own_data.messages import BadItem
from dataset_builders.own_data.options import Options
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.sources.raw_files import RawFile
from support.own_samples import SAMPLES

FORMATS = {form.name: form for form in all_formats()}
ODD_VALUES = (None, [], {}, 1, "x", True, [1], {"a": 1}, [[]], [None], -1, "")

LOGS = {
    "levels": "2026-01-31 12:00:01 INFO started\n2026-01-31 12:00:02 WARN full?\n" * 3,
    "levels as names": "2026-01-31 12:00:01 INFO: started\n2026-01-31 12:00:02 WARN: full?\n" * 3,
    "parts of a program": "[12:00:01] Scheduler: job 1 done\n[12:00:02] Worker: picked job 2\n" * 3,
    "loggers": "2026-01-31 12:00:01 app.db: open\n2026-01-31 12:00:02 app.web: who?\n" * 3,
    "values": "2026-01-31T12:00:01Z Server: GET /x status=200\n2026-01-31T12:00:02Z Database: slow?\n" * 3,
    "dates like WhatsApp": "31/01/2026, 12:00 - INFO: started\n31/01/2026, 12:01 - ERROR: failed?\n" * 3,
    "services like WhatsApp": "31/01/2026, 12:00 - Backup: started\n31/01/2026, 12:01 - Server: failed\n" * 3,
    "requests": '127.0.0.1 - - [31/Jan/2026:12:00:01 +0000] "GET / HTTP/1.1" 200 5\n' * 5,
    "programme of a day": "09:00 Opening: the plan\n10:00 Talk: tea\n11:00 Break: coffee\n12:00 Talk: mugs?\n",
}


def items_of(name, files, **options):
    """The items of an export; files are (name, path)."""
    file, *companions = (RawFile(*file) for file in files)
    return list(FORMATS[name].read(Export(file, companions, "utf-8-sig", Options(**options))))


@pytest.mark.parametrize("text", LOGS.values(), ids=LOGS)
def test_a_log_of_a_program_is_no_chat(tmp_path, text):
    path = tmp_path / "log.txt"
    path.write_text(text)
    probe = Probe(RawFile(path.name, path), "utf-8-sig")
    assert [form.name for form in all_formats() if form.recognises(probe)] == []


def test_days_that_may_be_months_are_refused_with_the_option_that_settles_it(tmp_path):
    path = tmp_path / "chat.txt"
    path.write_text("01/02/26, 12:00 - Clara: Are you open?\n01/02/26, 12:04 - Otto: Until six.\n")
    with pytest.raises(DataError, match="--date-order"):
        list(load(path, system_speaker=["Otto"]))
    assert len(list(load(path, system_speaker=["Otto"], date_order="mdy"))) == 1


@pytest.mark.parametrize(
    "cues", [["Hello.", "How are you?"], ["- Hello.", "- Hi."], ["ANNA: Hello.", "Hi.", "How are you?"]]
)
def test_subtitles_without_speakers_are_refused(tmp_path, cues):
    path = tmp_path / "film.srt"
    times = (f"00:00:{2 * i:02},000 --> 00:00:{2 * i + 1:02},000" for i in range(len(cues)))
    path.write_text(
        "\n".join(f"{i}\n{time}\n{cue}\n" for i, (time, cue) in enumerate(zip(times, cues, strict=True), 1))
    )
    (refused,) = items_of("subtitles", [(path.name, path)])
    assert isinstance(refused, BadItem)
    assert "name a speaker" in refused.reason


def test_a_cue_with_two_speakers_is_two_messages(tmp_path):
    path = tmp_path / "call.vtt"
    cues = ("<v Ann>Hi.</v>\n<v Ben>Hello!</v>", "- Ann: Tea?\n- Ben: Yes,\nplease.")
    path.write_text("WEBVTT\n\n" + "\n\n".join(f"00:0{i}.000 --> 00:0{i}.900\n{cue}" for i, cue in enumerate(cues)))
    (talk,) = items_of("subtitles", [(path.name, path)])
    said = [(message.speaker, message.text) for message in talk.messages]
    assert said == [("Ann", "Hi."), ("Ben", "Hello!"), ("Ann", "Tea?"), ("Ben", "Yes, please.")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Thanks, it works.\n\nBest regards\nBen", "Thanks, it works.\n\nBest regards\nBen"),
        ("Yes.\n\nOn Sat, 31 Jan 2026 at 12:00, Ann\n<ann@a.example> wrote:\n\n> Tea?\n> Ann", "Yes."),
        ("> Tea?\nYes.\n> Milk?\nNo.", "Yes.\nNo."),
        ("Да.\n\n31.01.2026 12:00, Анна пишет:\n> Чай?", "Да."),
        ("Ja.\n\nVon: Ann\nGesendet: Samstag\nAn: Ben\nBetreff: Tee\n\nTee?", "Ja."),
        ("Anna пишет: чай готов", "Anna пишет: чай готов"),
        ("Yes\n-- \nBen\n+49 000", "Yes"),
    ],
)
def test_only_what_mail_programs_surely_added_is_removed(text, words):
    assert own_words(text) == words


def test_a_forwarded_mail_is_kept():
    text = "Please answer.\n\n--- Forwarded message ---\nFrom: Ann\nDate: today\nTo: Ben\nSubject: Tea\n\nTea?"
    assert own_words(text, is_forward=is_forwarded("Fwd: Tea")) == text
    assert own_words(text, is_forward=is_forwarded("Re: Tea")) != text


def test_flowed_lines_of_a_mail_are_joined():
    assert own_words("a long \nline\n-- \nBen", is_flowed=True) == "a long line"
    assert without_answer_marks("Re: AW[2]: Tea") == "Tea"


@pytest.mark.parametrize(
    ("encoding", "charset"),
    [("koi8-r", ""), ("cp1251", "; charset=x-unheard-of"), ("cp1251", "; charset=windows-1251")],
)
def test_a_mail_is_read_whatever_it_says_of_its_encoding(tmp_path, encoding, charset):
    text = "Добрый день! Когда откроется магазин?"
    path = tmp_path / "question.eml"
    header = f"From: a@a.example\nDate: Sat, 31 Jan 2026 12:00:00 +0000\nContent-Type: text/plain{charset}\n"
    header += "Content-Transfer-Encoding: 8bit\nSubject: =?x-unheard-of?B?AAAA?=\n\n"
    path.write_bytes(header.encode() + text.encode(encoding))
    ((message,),) = (conversation.messages for conversation in items_of("mail", [(path.name, path)]))
    assert message.text == text


@pytest.mark.parametrize("name", ["telegram", "slack", "discord", "messenger", "element", "skype", "google-chat"])
def test_odd_values_never_stop_a_format(tmp_path, name):
    chance = random.Random(0)
    for sample in sorted((SAMPLES / name).rglob("*.json")):
        for _ in range(25):
            damaged = tmp_path / sample.name
            damaged.write_text(json.dumps(with_odd_values(json.loads(sample.read_text()), chance)))
            files = [(f"export/{sample.parent.name}/{sample.name}", damaged)]
            if name == "slack" and not sample.name[:1].isdigit():  # a table: read with a day of a channel
                day = SAMPLES / "slack" / "folder" / "help" / "2026-01-31.json"
                files = [("export/help/2026-01-31.json", day), (f"export/{sample.name}", damaged)]
            try:
                FORMATS[name].recognises(Probe(RawFile(*files[0]), "utf-8-sig"))
                items = items_of(name, files)
            except (BadRecord, DataError):
                continue
            messages = [message for item in items for message in getattr(item, "messages", ())]
            assert all(isinstance(m.text, str) and isinstance(m.speaker, str) for m in messages)


def with_odd_values(value, chance):
    """A JSON value in which some parts are of another type, or missing."""
    places = list(places_in(value))
    for parent, key in chance.sample(places, min(len(places), chance.choice([1, 1, 3]))):
        if isinstance(parent, dict) and chance.random() < 0.3:
            parent.pop(key)
        else:
            parent[key] = chance.choice(ODD_VALUES)
    return value


def places_in(value):
    """(parent, key) of each part of a JSON value."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places_in(value[key])
