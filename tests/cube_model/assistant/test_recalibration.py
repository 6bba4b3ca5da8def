"""`assistant calibrate`, and what `add` and `remove` do about the calibration."""

import csv
import json
import os
import signal
import subprocess
import sys

import pytest

from cube_model import DialogueAssistant, ModelError
from cube_model.assistant.changes import add_pair
from cube_model.assistant.config import CalibrateConfig
from cube_model.assistant.folder import ASSISTANT
from cube_model.assistant.recalibration import calibrate_again
from cube_model.assistant.store import AnswerStore, read_manifest
from dataset_builders.common.outputs import Output
from dataset_builders.common.seals import is_sealed
from support.assistant_fixtures import write_faq


def calibrated_version(folder):
    return DialogueAssistant.from_pretrained(folder).info["calibration"]["version"]


def test_a_small_faq_is_calibrated_whenever_it_changes(run, folder):
    reader = DialogueAssistant.from_pretrained(folder)
    before = reader.info["calibration"]
    done = run("assistant", "add", "--assistant", folder, "--question", "Who are you?", "--answer", "A desk.")
    assert "note" not in done.output
    after = reader.info["calibration"]  # the reader is still open
    assert (before["version"], after["version"]) == (1, 2)
    assert after["questions"]["answer left out"] == before["questions"]["answer left out"] + 1
    assert "25 questions" in " ".join((folder / "README.md").read_text().split())
    names = sorted(path.name for path in folder.glob("calibration*.json"))
    assert names == ["calibration-000001.json", "calibration.json"]  # a reader may have just opened the one before
    assert DialogueAssistant.from_pretrained(folder).reply("Who are you?").is_known
    for _ in range(2):
        calibrate_again(folder, CalibrateConfig())
    assert len(list(folder.glob("calibration*.json"))) == 2


def test_a_card_that_somebody_has_edited_stays(run, folder, caplog):
    card = folder / "README.md"
    written = card.read_text()
    mine = f"{written}\nOur desk is proud of it.\n"
    card.write_text(mine)
    for words in (("add", "--question", "Who are you?", "--answer", "A desk."), ("calibrate",)):
        assert run("assistant", *words, "--assistant", folder).exit_code == 0
        assert card.read_text() == mine
        assert "README.md: was edited and stays as it is" in caplog.text
    assert calibrated_version(folder) == 2
    card.unlink()
    calibrate_again(folder, CalibrateConfig())
    assert "25 questions" in " ".join(card.read_text().split())  # a new one, which is ours again
    card.write_text(written)  # unchanged since the build
    calibrate_again(folder, CalibrateConfig())
    assert card.read_text() != written


def test_a_stale_calibration_is_named_and_made_again(run, folder, tiny_encoder, tmp_path):
    add_pair(folder, "Who are you?", "A desk.")
    assert calibrated_version(folder) == 1
    done = run("assistant", "calibrate", "--assistant", folder, "--max-refused", "0.3")
    assert done.exit_code == 0, done.output
    assert "at most 30% of answerable questions are refused" in " ".join(done.output.split())
    info = DialogueAssistant.from_pretrained(folder).info["calibration"]
    assert (info["version"], info["guarantee"]) == (2, 0.3)
    assert info["curve"][0]["coverage"] == 1


def test_questions_out_of_scope_are_asked_for_again(run, tiny_encoder, tmp_path):
    faq, marked = write_faq(tmp_path / "faq.csv"), tmp_path / "marked.txt"
    marked.write_text("What is the capital of France?\nTell me a joke.\n")
    build = ("assistant", "build", "--own", faq, "--encoder", tiny_encoder, "--out-of-scope", marked)
    assert run(*build, "--out", tmp_path / "desk").exit_code == 0
    done = run(
        "assistant", "add", "--assistant", tmp_path / "desk", "--question", "Who are you?", "--answer", "A desk."
    )
    assert "note: its refusals are calibrated for version 1" in done.output
    refused = run("assistant", "calibrate", "--assistant", tmp_path / "desk")
    assert "pass their file: --out-of-scope" in str(refused.exception)
    (tmp_path / "desk" / "calibration-backup.json").write_text("mine")
    done = run("assistant", "calibrate", "--assistant", tmp_path / "desk", "--out-of-scope", marked)
    assert "2 questions (out of scope)" in " ".join(done.output.split()), done.output
    assert calibrated_version(tmp_path / "desk") == 2
    assert (tmp_path / "desk" / "calibration-backup.json").read_text() == "mine"


def test_a_calibration_of_answers_that_have_changed_is_not_kept(folder):
    store = AnswerStore(folder)
    content = json.loads((folder / "calibration.json").read_text())
    version = store.view().version
    add_pair(folder, "Who are you?", "A desk.")
    with pytest.raises(ModelError, match="its answers have changed meanwhile; run the same command again"):
        store.put_calibration(content, "card", version)
    assert read_manifest(folder)["calibrated"]["file"] == "calibration.json"


def test_a_damaged_calibration_is_not_carried_on(run, folder):
    file = folder / "calibration.json"
    file.write_text(file.read_text().replace('"max_refused": 0.1', '"max_refused": 0.9'))
    for words in (("add", "--question", "Who are you?", "--answer", "A desk."), ("calibrate",)):
        done = run("assistant", *words, "--assistant", folder)
        assert "calibration.json: damaged or changed since the assistant was built" in str(done.exception)
    assert AnswerStore(folder).view().version == 1


@pytest.mark.parametrize("name", ["encoder/thesis.txt", "core/thesis.txt", "encoder/model/notes.md", "intents/new.csv"])
def test_a_file_of_somebody_else_in_an_assistant_stays(folder, name):
    Output(folder, ASSISTANT).check()
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("mine")
    with pytest.raises(ModelError, match=f"holds {name}, not written by"):
        Output(folder, ASSISTANT).check()


KILLS = """
import json, os, shutil, signal, sys
from pathlib import Path
from cube_model.assistant.store import AnswerStore
from dataset_builders.common.seals import sealed

folder, place = map(Path, sys.argv[1:])
content = json.loads((folder / "calibration.json").read_text()) | {"max_refused": 0.3}
replace = Path.replace

def kill(step, when):
    count = 0

    def replaced(self, target):
        nonlocal count
        count += 1
        if (count, when) == (step, "before"):
            os.kill(os.getpid(), signal.SIGKILL)
        replace(self, target)
        if (count, when) == (step, "after"):
            os.kill(os.getpid(), signal.SIGKILL)

    Path.replace = replaced

for step in (1, 2, 3):
    for when in ("before", "after"):
        copy = shutil.copytree(folder, place / f"{step}-{when}")
        if not os.fork():
            kill(step, when)
            AnswerStore(copy).put_calibration(content, sealed("# New"), 1)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills are sent to forked processes")
def test_a_calibration_that_is_killed_leaves_the_one_before_or_the_new_one(folder, tmp_path):
    place, encoder = tmp_path / "killed", str(folder.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLS, str(folder), str(place)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=encoder, check=True)
    assert done.stdout.split() == [str(-signal.SIGKILL)] * 6
    for copy in sorted(place.iterdir()):
        is_new = copy.name == "3-after"
        opened = DialogueAssistant.from_pretrained(copy)
        assert opened.info["calibration"]["max_refused"] == (0.3 if is_new else 0.1), copy.name
        assert is_sealed((copy / "README.md").read_text())
        Output(copy, ASSISTANT).check()  # what was left is no foreign file
        calibrate_again(copy, CalibrateConfig(max_refused=0.2))
        assert opened.info["calibration"]["max_refused"] == 0.2
        assert not [path for path in copy.iterdir() if path.name.endswith(".part")]


def test_an_assistant_of_dialogues_needs_its_dataset(folder):
    file = folder / "calibration.json"
    content = json.loads(file.read_text())
    manifest = read_manifest(folder)
    file.write_text(json.dumps({**content, "questions": {"held out": 30}}))
    (folder / "manifest.json").write_text(json.dumps({**manifest, "files": {}}))
    with pytest.raises(ModelError, match="which it does not hold; pass --data"):
        calibrate_again(folder, CalibrateConfig())


def test_a_file_of_pairs_is_calibrated_once(run, folder, tmp_path):
    with (tmp_path / "more.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("question", "answer"), ("Is there tea?", "Yes."), ("And milk?", "Yes, too.")])
    assert "2 added" in run("assistant", "add", "--assistant", folder, tmp_path / "more.csv").output
    assert read_manifest(folder)["calibrated"] == {"file": "calibration-000001.json", "version": 2, "number": 1}
