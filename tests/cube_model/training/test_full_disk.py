"""A full disk: one line names it, no incomplete output looks complete, and the command resumes when there is room.

The disk is real, a small file system that only the tested process sees.
"""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import dialogue_cube
from cube_model.errors import ModelError
from dataset_builders.common.files import describe_os_error, needs_room

SETTINGS = ["--teacher", "minilm", "--teacher-dtype", "float32", "--epochs", "1", "--max-pairs", "100"]


@pytest.fixture
def on_small_disk(tmp_path):
    """Run a command with some kilobytes of disk mounted at `tmp_path / "disk"`."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=$0 tmpfs '{disk}' && "
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*unshare, f"{mount} true", "64k"], check=False).returncode:
        pytest.skip("this system lets nobody mount a file system of their own")

    def run(size, command, before="", after="", **environment):
        script = f'{mount} {before} "$@"; code=$?; {after} exit $code'
        env = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **environment}
        return subprocess.run(
            [*unshare, script, size, sys.executable, *map(str, command)],
            env=env, text=True, capture_output=True, check=False, timeout=300,
        )  # fmt: skip

    return disk, run


def error_line(done):
    """Return the only line of the error."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.slow
def test_training_reports_it_and_resumes(on_small_disk, pairs_folder, cache_folder, minilm, tmp_path, monkeypatch):
    disk, run = on_small_disk
    train = ["train", "--data", pairs_folder, *SETTINGS, "--output", disk / "core"]
    kept = tmp_path / "kept"
    done = run(
        "1m", ["-m", "dialogue_cube", *train], after=f"cp -r {disk} {kept};", DIALOGUE_CUBE_CACHE=str(cache_folder)
    )
    assert "cannot be written" in error_line(done)
    assert "MB are free on that disk: make room, then continue with --resume" in error_line(done)
    assert not (kept / "core").exists()
    shutil.copytree(kept, disk, dirs_exist_ok=True)
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(cache_folder))
    again = CliRunner().invoke(dialogue_cube.app, [*map(str, train), "--resume"])
    assert again.exit_code == 0, again.output
    assert (disk / "core" / "model.safetensors").is_file()


VECTORS = """
import sys
import numpy as np
from cube_model.vectors.cache import EmbeddingCache
from cube_model.errors import ModelError
try:
    EmbeddingCache(sys.argv[1]).put_many("teacher", [str(i) for i in range(1000)], np.ones((1000, 384), np.float32))
except ModelError as error:
    sys.exit(f"error: {error}")
"""


@pytest.mark.parametrize("size", ["4k", "16k", "100k", "1m"])
def test_the_embedding_cache_reports_it(on_small_disk, size):
    """One page is taken before. LMDB maps its lock file, so a page without room would kill the process."""
    disk, run = on_small_disk
    words = error_line(run(size, ["-c", VECTORS, disk / "cache"], before=f"head -c 4096 /dev/zero > {disk}/taken;"))
    assert f"{disk}/cache" in words
    assert "set DIALOGUE_CUBE_CACHE to a writable folder on a disk with free space" in words


ROWS = """
import sys
from dataset_builders.common.files import describe_os_error
from cube_model.data.pairs import load_pairs
try:
    load_pairs(sys.argv[1], "train")
except OSError as error:
    sys.exit(f"error: {describe_os_error(error)}")
"""


def test_the_cache_of_datasets_is_named(on_small_disk, pairs_folder):
    disk, run = on_small_disk
    words = error_line(run("20k", ["-c", ROWS, pairs_folder], HF_DATASETS_CACHE=str(disk)))
    assert "no space left on a disk; make room, or write to another one" in words
    assert "HF_HOME" in words


def test_a_build_reports_it_and_leaves_nothing(on_small_disk, sample_raw, tmp_path):
    disk, run = on_small_disk
    out = tmp_path / "listed"
    build = ["-m", "dialogue_cube", "build", "camrest676", "woz", "--raw-dir", sample_raw, "--out", disk / "data"]
    words = error_line(run("40k", build, after=f"ls -A {disk} > {out};", HF_DATASETS_CACHE=str(tmp_path / "cache")))
    assert "no space left on a disk" in words
    assert out.read_text() == ""


def test_other_errors_are_left_alone(tmp_path):
    with pytest.raises(RuntimeError, match="shape"), needs_room(tmp_path, "go on", ModelError):
        raise RuntimeError("shape")
    full = r"no/such: cannot be written \(.*No space left.*\); .* make room, then go on"
    with pytest.raises(ModelError, match=full), needs_room(tmp_path / "no" / "such", "go on", ModelError):
        Path("/dev/full").write_text("x")
    gone = FileNotFoundError(errno.ENOENT, "No such file or directory", "raw.json")
    assert describe_os_error(gone) == "raw.json: No such file or directory"
