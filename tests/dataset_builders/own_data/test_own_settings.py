"""Own data on the command line: what they are taken for, mapping files, several paths, languages."""

import json

import pytest
from typer.testing import CliRunner

import dialogue_cube
from dataset_builders.common.errors import DataError
from dataset_builders.own_data.settings import EXAMPLE_MAPPING, MAPPING_KEYS, OwnSettings
from dataset_builders.schema import Dialogue

GERMAN = "Wann kommt meine Bestellung bei mir an, und wer bringt sie mir nach Hause?"


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a command in an empty folder; return its output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words):
        result = CliRunner().invoke(dialogue_cube.app, words)
        assert result.exit_code == 0, result.output + repr(result.exception)
        return " ".join(result.output.split())

    return command


def texts(data):
    return [[turn.text for turn in row.turns] for row in data if isinstance(row, Dialogue)]


def test_a_dry_run_shows_what_files_are_taken_for_and_writes_nothing(run, tmp_path):
    (tmp_path / "faq.csv").write_text("question,answer,team\nIs there tea?,Yes,red\nAnd milk?,No,blue\n")
    chat = "ticket_id,author,message,time\n1,Zoe,Hi,2026-01-31 12:01\n1,Ann,Hello,2026-01-31 12:00\n"
    (tmp_path / "chat.csv").write_text(chat)
    shown = run("build", "--own", "faq.csv", "--own", "chat.csv", "--system-speaker", "Zoe", "--dry-run")
    for words in (
        "faq.csv pairs, table question: question; answer: answer; metadata: team",
        "row 1: user: Is there tea? | system: Yes",
        "chat.csv one row per turn, table",
        "Zoe answers, as you said times in time by time: a single dialogue und",
        "row 1: user: Hello | system: Hi",
    ):
        assert words in shown
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chat.csv", "faq.csv"]


def test_formats_are_listed_and_shown(run):
    assert "whatsapp" in run("formats")
    assert "checked against:" in run("formats", "whatsapp")
    assert {"slack", "zendesk", "chatgpt"} <= {entry["name"] for entry in json.loads(run("formats", "--json"))}


def test_a_mapping_file_names_the_parts_of_a_layout(tmp_path):
    turns = [
        {"by": {"name": "Ann"}, "body": {"plain": "Hi"}, "sent": "2026-01-31 12:00"},
        {"by": {"name": "Support Bot"}, "body": {"plain": "Hello"}, "sent": "2026-01-31 12:01"},
    ]
    (tmp_path / "own.json").write_text(json.dumps([{"meta": {"case": n}, "data": {"messages": turns}} for n in (7, 8)]))
    (tmp_path / "mapping.yaml").write_text(EXAMPLE_MAPPING.replace("[Ann, Support Bot]", "[Support Bot]"))
    (data,) = OwnSettings(path=tmp_path / "own.json", mapping=tmp_path / "mapping.yaml").load()
    assert texts(data) == [["Hi", "Hello"]] * 2
    assert [row.id for row in data] == ["own.json/7", "own.json/8"]
    (tmp_path / "mapping.yaml").write_text("turn_path: x")
    with pytest.raises(DataError, match=rf"mapping.yaml: no key 'turn_path'; expected some of {MAPPING_KEYS[0]}"):
        OwnSettings(path=tmp_path / "own.json", mapping=tmp_path / "mapping.yaml").load()


def test_several_paths_are_sources_of_their_own(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f"question,answer\nWhat is {name}?,It is {name}\nAnd?,No\n")
    settings = OwnSettings(path=[tmp_path / "a.csv", tmp_path / "b.csv"])
    assert [texts(data)[0][1] for data in settings.load()] == ["It is a", "It is b"]
    assert [builder.INFO.name for builder in settings.builders()] == ["a", "b"]
    with pytest.raises(DataError, match="one name"):
        OwnSettings(path=[tmp_path / "a.csv", tmp_path / "b.csv"], name="x").load()


def test_texts_in_another_language_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text(f"question;answer\n{GERMAN};Morgen früh bringt sie unser Fahrer zu Ihnen.\n")
    settings = OwnSettings(path=tmp_path / "a.csv", language="en")
    with pytest.raises(DataError, match=r"its texts look like de, not en; .*--language de\), or trust_language"):
        settings.check(settings.load())
    for right in ({"language": "de"}, {"language": "und"}, {"language": "en", "trust_language": True}):
        settings = OwnSettings(path=tmp_path / "a.csv", **right)
        settings.check(settings.load())


def test_a_bad_file_is_skipped_and_named_if_the_user_says_so(tmp_path):
    (tmp_path / "a.csv").write_text("question,answer\nWhat?,That\nAnd?,No\n")
    (tmp_path / "b.json").write_text("{")
    (tmp_path / "dataset_info.json").write_text("{}")
    with pytest.raises(DataError, match=r"b\.json: .*--skip-bad-files"):
        OwnSettings(path=tmp_path).load()
    (data,) = OwnSettings(path=tmp_path, skip_bad_files=True).load()
    assert [skipped.file for skipped in data.skipped] == ["b.json", "dataset_info.json"]
    assert len(texts(data)) == 2
