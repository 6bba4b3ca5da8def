"""Outputs: foreign files are never touched, a result is complete or absent, and there is one writer at a time."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cube_model.inference.export_folder import EXPORT
from cube_model.inference.index import INDEX
from cube_model.training.output import TRAINED
from dataset_builders.common import files, outputs
from dataset_builders.common.errors import DataError
from dataset_builders.common.file_kinds import FIGURES, HTML_FILE, HTML_MARK, json_kind
from dataset_builders.common.outputs import Output, OutputKind, output_file, output_folder
from dataset_builders.folder.layout import DATASET

TEA = OutputKind("`tea`", "--out", lambda folder: (folder / "mark.txt").is_file(), ("mark.txt", "leaves/*.txt"))


def brew(place: Path, text: str = "green") -> None:
    with output_folder(place, TEA) as folder:
        (folder / "mark.txt").write_text(text)
        (folder / "leaves").mkdir()
        (folder / "leaves" / "one.txt").write_text(text)


def brew_while(place: Path, act: Callable[[], object], kind: OutputKind = TEA) -> None:
    """Call `act` while an output is being written."""
    with output_folder(place, kind) as folder:
        (folder / "mark.txt").write_text("black")
        act()


def fail() -> None:
    raise RuntimeError


def beside(place: Path) -> list[str]:
    return sorted(path.name for path in place.parent.iterdir())


@pytest.fixture(params=["one step", "two steps"])
def exchanging(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test with and without a system call that exchanges two folders in one step."""
    if request.param == "two steps":
        monkeypatch.setattr(files, "_rename_call", lambda: None)
    elif files._rename_call() is None:
        pytest.skip("this system cannot exchange two folders in one step")
    return request.param


@pytest.mark.usefixtures("exchanging")
class TestReplacing:
    def test_a_new_output_replaces_an_earlier_one_and_leaves_nothing_beside_it(self, tmp_path):
        brew(tmp_path / "shop")
        brew(tmp_path / "shop", "black")
        assert (tmp_path / "shop/mark.txt").read_text() == "black"
        assert beside(tmp_path / "shop") == ["shop"]

    def test_a_failed_run_leaves_the_earlier_output_and_nothing_else(self, tmp_path):
        brew(tmp_path / "shop")
        with pytest.raises(RuntimeError):
            brew_while(tmp_path / "shop", fail)
        assert (tmp_path / "shop/mark.txt").read_text() == "green"
        assert beside(tmp_path / "shop") == ["shop"]

    def test_a_folder_that_appears_during_the_run_stays_and_the_result_is_kept_beside_it(self, tmp_path):
        def appear() -> None:
            (tmp_path / "shop").mkdir()
            (tmp_path / "shop/thesis.txt").write_text("years")

        with pytest.raises(DataError, match=r"not made by `tea`.*the result is in .*shop\.new"):
            brew_while(tmp_path / "shop", appear)
        assert (tmp_path / "shop/thesis.txt").read_text() == "years"
        assert (tmp_path / "shop.new/mark.txt").read_text() == "black"

    def test_a_file_that_appears_in_an_earlier_output_during_the_run_stays(self, tmp_path):
        brew(tmp_path / "shop")
        with pytest.raises(DataError, match=r"holds leaves/notes\.md, .*shop\.new"):
            brew_while(tmp_path / "shop", lambda: (tmp_path / "shop/leaves/notes.md").write_text("mine"))
        assert (tmp_path / "shop/leaves/notes.md").read_text() == "mine"
        assert (tmp_path / "shop/mark.txt").read_text() == "green"

    def test_a_file_that_appears_at_the_last_moment_stays(self, tmp_path, monkeypatch):
        brew(tmp_path / "shop")
        original = outputs.exchange

        def late(one, other, spare):
            if other.name == "shop" and spare.name == "replaced":
                (other / "late.txt").write_text("mine")
            return original(one, other, spare)

        monkeypatch.setattr(outputs, "exchange", late)
        with pytest.raises(DataError, match=r"holds late\.txt, .*shop\.new"):
            brew(tmp_path / "shop", "black")
        assert (tmp_path / "shop/late.txt").read_text() == "mine"
        assert (tmp_path / "shop/mark.txt").read_text() == "green"
        assert (tmp_path / "shop.new/mark.txt").read_text() == "black"
        assert beside(tmp_path / "shop") == ["shop", "shop.new"]

    def test_an_earlier_result_beside_the_folder_is_not_overwritten(self, tmp_path):
        (tmp_path / "shop.new").mkdir()
        with pytest.raises(DataError, match=r"shop\.new-2"):
            brew_while(tmp_path / "shop", lambda: (tmp_path / "shop").write_text("a file of mine"))
        assert (tmp_path / "shop").read_text() == "a file of mine"
        assert (tmp_path / "shop.new-2/mark.txt").read_text() == "black"


class TestRefusing:
    def test_the_path_is_resolved_before_it_is_checked(self, tmp_path):
        (tmp_path / "victim").mkdir()
        (tmp_path / "victim/thesis.txt").write_text("years")
        with pytest.raises(DataError, match="was not made by `tea`"):
            brew(tmp_path / "nothere/../victim")
        assert (tmp_path / "victim/thesis.txt").read_text() == "years"
        assert beside(tmp_path / "victim") == ["victim"]

    def test_a_symbolic_link_to_a_foreign_folder_is_refused(self, tmp_path):
        (tmp_path / "victim").mkdir()
        (tmp_path / "victim/thesis.txt").write_text("years")
        (tmp_path / "link").symlink_to(tmp_path / "victim")
        with pytest.raises(DataError, match="was not made by `tea`"):
            brew(tmp_path / "link")
        assert (tmp_path / "victim/thesis.txt").exists()

    def test_foreign_files_in_an_earlier_output_are_named(self, tmp_path):
        brew(tmp_path / "shop")
        for number in range(5):
            (tmp_path / f"shop/leaves/{number}.md").write_text("mine")
        with pytest.raises(DataError, match=r"leaves/0\.md, leaves/1\.md, leaves/2\.md and 2 more, .*; move them"):
            brew(tmp_path / "shop")
        assert (tmp_path / "shop/leaves/4.md").exists()

    def test_files_that_systems_leave_in_folders_do_not_count(self, tmp_path):
        brew(tmp_path / "shop")
        (tmp_path / "shop/.DS_Store").write_text("")
        (tmp_path / "shop/.cache/huggingface/download").mkdir(parents=True)
        (tmp_path / "shop/.cache/huggingface/download/mark.txt.metadata").write_text("")
        brew(tmp_path / "shop", "black")
        assert (tmp_path / "shop/mark.txt").read_text() == "black"

    def test_the_current_folder_and_the_root_are_refused(self, tmp_path, monkeypatch):
        brew(tmp_path / "shop")
        monkeypatch.chdir(tmp_path / "shop/leaves")
        with pytest.raises(DataError, match="is the current folder or holds it"):
            brew(tmp_path / "shop")
        with pytest.raises(DataError, match="root of a disk"):
            brew(Path("/"))

    def test_an_earlier_output_is_kept_without_overwrite(self, tmp_path):
        brew(tmp_path / "shop")
        with pytest.raises(DataError, match="pass --overwrite"), output_folder(tmp_path / "shop", TEA, overwrite=False):
            pass

    @pytest.mark.parametrize("kind", [DATASET, TRAINED, INDEX, EXPORT], ids=lambda kind: kind.made_by)
    def test_no_kind_of_output_replaces_a_foreign_folder(self, tmp_path, kind):
        (tmp_path / "victim").mkdir()
        (tmp_path / "victim/thesis.txt").write_text("years")
        with pytest.raises(kind.error, match=f"choose another {kind.option}"):
            Output(tmp_path / "nothere/../victim", kind).check()

    def test_a_file_of_another_kind_is_not_replaced(self, tmp_path):
        (tmp_path / "thesis.txt").write_text("In the beginning")
        with pytest.raises(DataError, match="was not made by a command of dialogue-cube that writes figures as JSON"):
            Output(tmp_path / "thesis.txt", FIGURES).check()
        with pytest.raises(DataError, match="neither a file nor a folder"):
            Output(Path(os.devnull), FIGURES).check()
        assert (tmp_path / "thesis.txt").read_text() == "In the beginning"

    def test_figures_replace_figures(self, tmp_path):
        for text in ('{"command": "dialogue-cube x"}', '{\n "command": "dialogue-cube y",\n "rows": [1]\n}\n'):
            with output_file(tmp_path / "figures.json", FIGURES) as file:
                file.write_text(text)
        assert (tmp_path / "figures.json").read_text() == text
        assert beside(tmp_path / "figures.json") == ["figures.json"]

    def test_pages_and_figures_of_other_programs_are_not_replaced(self, tmp_path):
        contents = {"page.html": "<!DOCTYPE html>\n<title>My thesis</title>", "task.json": '{"command": "make test"}'}
        for (name, content), kind in zip(contents.items(), (HTML_FILE, FIGURES), strict=True):
            (tmp_path / name).write_text(content)
            with pytest.raises(DataError, match="was not made by a command of dialogue-cube that writes"):
                Output(tmp_path / name, kind).check()
        for text in ("", f"<!doctype html><head>{HTML_MARK}</head>"):  # ours, also if a kill has left it empty
            (tmp_path / "page.html").write_text(text)
            Output(tmp_path / "page.html", HTML_FILE).check()

    @pytest.mark.parametrize(
        "content", ["{}", "[1]", '{"a": ', "[" * 100_000, '{"question": "Q", "answer": "A"}\n', "\xff"]
    )
    def test_json_of_a_user_is_not_replaced(self, tmp_path, content):
        """All of it begins as the answers of `ask --questions` do."""
        (tmp_path / "mine.jsonl").write_text(content, encoding="latin-1")
        kind = json_kind("answers as JSON lines", "question", "answers")
        with pytest.raises(
            DataError, match="was not made by a command of dialogue-cube that writes answers as JSON lines"
        ):
            Output(tmp_path / "mine.jsonl", kind).check()
        (tmp_path / "mine.jsonl").write_text('{"question": "Q", "answers": []}\n{"question": "R", "answers": []}\n')
        Output(tmp_path / "mine.jsonl", kind).check()


HOLD = """
import sys, time
from pathlib import Path
from dataset_builders.common.outputs import OutputKind, output_folder
kind = OutputKind("`tea`", "--out", lambda folder: (folder / "mark.txt").is_file(), ("mark.txt", "leaves/*.txt"))
sys.argv = ["/usr/bin/tea", "brew", "hf_secret"]
with output_folder(sys.stdin.readline().strip(), kind) as folder:
    (folder / "mark.txt").write_text("slow")
    print("claimed", flush=True)
    sys.stdin.readline()
"""


def holder(place: Path) -> subprocess.Popen:
    """Start a process that holds an output and finishes when it receives a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    process.stdin.write(f"{place}\n")
    assert process.stdout.readline() == "claimed\n"
    return process


class TestOneWriter:
    def test_the_message_to_a_second_writer_names_the_first(self, tmp_path):
        first = holder(tmp_path / "shop")
        with pytest.raises(DataError, match=rf"process {first.pid} \(tea brew\) is writing it; wait"):
            brew(tmp_path / "shop")
        first.communicate("\n")
        assert first.returncode == 0
        assert (tmp_path / "shop/mark.txt").read_text() == "slow"
        brew(tmp_path / "shop")
        assert (tmp_path / "shop/mark.txt").read_text() == "green"

    def test_a_killed_writer_leaves_no_lock_and_its_files_go_at_the_next_start(self, tmp_path):
        brew(tmp_path / "shop")
        first = holder(tmp_path / "shop")
        first.kill()
        first.communicate()
        assert (tmp_path / "shop/mark.txt").read_text() == "green"
        assert (tmp_path / ".shop.building/new").is_dir()
        brew(tmp_path / "shop", "black")
        assert beside(tmp_path / "shop") == ["shop"]

    def test_a_writer_can_wait_for_another(self, tmp_path):
        first = holder(tmp_path / "shop")
        first.stdin.write("\n")
        with output_folder(tmp_path / "shop", TEA, wait=True) as folder:
            (folder / "mark.txt").write_text("patient")
        first.communicate()
        assert (tmp_path / "shop/mark.txt").read_text() == "patient"


class TestRecovery:
    def test_an_output_that_a_killed_run_had_moved_away_is_put_back(self, tmp_path, monkeypatch, caplog):
        """Killed between the two renames of a system that cannot exchange folders."""
        monkeypatch.setattr(files, "_rename_call", lambda: None)
        brew(tmp_path / "shop")
        (tmp_path / ".shop.building").mkdir()
        (tmp_path / "shop").rename(tmp_path / ".shop.building/replaced")
        with pytest.raises(RuntimeError):
            brew_while(tmp_path / "shop", fail)
        assert (tmp_path / "shop/mark.txt").read_text() == "green"
        assert "put back" in caplog.text
        assert beside(tmp_path / "shop") == ["shop"]

    def test_leftovers_of_version_0_1_0_are_put_back_or_removed(self, tmp_path):
        brew(tmp_path / "shop")
        (tmp_path / "shop").rename(tmp_path / ".shop.replaced")
        for name in (".shop.4711.building", ".shop.4711.replaced"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "mark.txt").write_text("half")
        (tmp_path / ".shop.12.building").mkdir()
        (tmp_path / ".shop.12.building/thesis.txt").write_text("years")
        with pytest.raises(RuntimeError):
            brew_while(tmp_path / "shop", fail)
        assert (tmp_path / "shop/leaves/one.txt").read_text() == "green"
        assert beside(tmp_path / "shop") == [".shop.12.building", "shop"]


def test_temporary_folders_of_killed_runs_go_and_those_in_use_stay(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    hold = (
        "import sys; from dataset_builders.common.files import temporary_folder\n"
        "with temporary_folder() as folder: print(folder, flush=True); sys.stdin.readline()"
    )
    start = [sys.executable, "-c", hold]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    runs = [
        subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    killed, alive = (Path(run.stdout.readline().strip()).parent for run in runs)
    (tmp_path / "dialogue-cube-notes").mkdir()  # younger than a minute: may be a run that has just begun
    runs[0].kill()
    runs[0].wait()
    for folder in (killed, alive):
        os.utime(folder, (0, 0))
    with files.temporary_folder() as own:
        assert not killed.exists()
        assert alive.exists()
    assert not own.parent.exists()
    assert (tmp_path / "dialogue-cube-notes").exists()
    runs[1].communicate("\n")
    assert not alive.exists()


KILLED = """
import sys
from pathlib import Path
from dataset_builders.common import files
from dataset_builders.common.outputs import OutputKind, output_folder
kind = OutputKind("`tea`", "--out", lambda folder: (folder / "mark.txt").is_file(), ("mark.txt", "leaves/*.txt"))
if sys.argv[2] == "two steps":
    files._rename_call = lambda: None
print("ready", flush=True)
for number in range(10_000):
    with output_folder(sys.argv[1], kind) as folder:
        (folder / "leaves").mkdir()
        for leaf in range(3):
            (folder / "leaves" / f"{leaf}.txt").write_text(str(number))
        (folder / "mark.txt").write_text(str(number))
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["one step", "two steps"])
def test_an_output_is_complete_after_a_kill_at_any_point_and_the_next_start(tmp_path, way):
    place = tmp_path / "shop"
    brew(place)
    for attempt in range(12):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(place), way], stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        time.sleep(0.02 + 0.011 * attempt)
        process.kill()
        process.wait()
        if way == "one step":
            assert (place / "mark.txt").is_file()  # even before the next start
        with pytest.raises(RuntimeError):
            brew_while(place, fail)
        number = (place / "mark.txt").read_text()
        assert {leaf.read_text() for leaf in (place / "leaves").iterdir()} == {number}
        assert beside(place) == ["shop"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not name the files that are open")
def test_files_and_folders_are_on_the_disk_before_and_after_an_output_appears(tmp_path, monkeypatch):
    events: list[str] = []

    def recording(place, name, what):
        original = getattr(place, name)

        def call(*arguments):
            events.append(what(*arguments))
            return original(*arguments)

        monkeypatch.setattr(place, name, call)

    recording(os, "fsync", lambda handle: Path(f"/proc/self/fd/{handle}").readlink().name)
    recording(outputs, "rename_exclusively", lambda *_: "appears")
    recording(outputs, "exchange", lambda *_: "appears")
    for _ in range(2):  # a new output, and one that replaces another
        brew(tmp_path / "shop")
        place = events.index("appears")
        assert {"mark.txt", "one.txt", "leaves", "new"} <= set(events[:place])
        assert events[place + 1 :] == [tmp_path.name]
        events.clear()


def test_a_private_file_of_a_library_is_readable_as_any_new_one(tmp_path):
    (tmp_path / "usual").touch()
    with output_folder(tmp_path / "shop", TEA) as folder:
        (folder / "mark.txt").write_text("Earl Grey")
        (folder / "mark.txt").chmod(0o600)
    assert (tmp_path / "shop" / "mark.txt").stat().st_mode == (tmp_path / "usual").stat().st_mode
