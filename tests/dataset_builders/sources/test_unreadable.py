"""Unreadable entries in folders of raw files and of own data are errors, as their rows would be missing silently."""

import io
import os
import socket
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.own_data import load
from dataset_builders.own_data.containers.inputs import find_files
from dataset_builders.sources.raw_files import RawFolder
from dataset_builders.sources.registry import get_builder
from support.permissions import folder_for_everybody, ordinary_user

ROW = '{"question": "Is it open on Sundays?", "answer": "It is open until noon."}\n'

LISTS = {
    "raw": lambda folder: [file.name for file in RawFolder(folder).glob("*.jsonl")],
    "own": lambda folder: [file.name for file in find_files(folder)[0]],
}


@pytest.fixture(params=sorted(LISTS))
def names(request):
    """Function that lists the data files of a folder, as raw files or as own data."""
    return LISTS[request.param]


@pytest.fixture
def folder():
    """Folder with two files, one of them in a subfolder, that every user may read."""
    with folder_for_everybody() as root:
        (root / "below").mkdir(mode=0o755)
        for path in (root / "a.jsonl", root / "below" / "b.jsonl"):
            path.write_text(ROW)
        list(load(root))  # triggers late imports, from folders that may be closed to other users
        yield root


def refused(names, folder, message):
    with ordinary_user(), pytest.raises(DataError, match=message) as caught:
        names(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_readable_file_is_listed(names, folder):
    with ordinary_user():
        assert names(folder) == ["a.jsonl", "below/b.jsonl"]


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        (0o000, r"below: the folder cannot be listed \(Permission denied\); grant access, or move the folder away$"),
        (0o311, r"below: the folder cannot be listed \(Permission denied\)"),
        (0o644, r"below/b\.jsonl: cannot be read \(Permission denied\); repair it, or move it away$"),
    ],
)
def test_a_closed_subfolder(names, folder, mode, message):
    (folder / "below").chmod(mode)
    refused(names, folder, message)


def test_a_closed_folder(names, folder):
    folder.chmod(0o311)
    refused(names, folder, "the folder cannot be listed")
    folder.chmod(0o755)


def test_a_closed_hidden_folder_is_ignored(names, folder):
    (folder / ".git").mkdir(mode=0o000)
    with ordinary_user():
        assert names(folder) == ["a.jsonl", "below/b.jsonl"]


def test_a_closed_file(folder):
    (folder / "below" / "b.jsonl").chmod(0o000)
    refused(LISTS["own"], folder, r"b\.jsonl: cannot be read \(.*Permission denied")
    (file,) = RawFolder(folder).glob("b.jsonl")
    with ordinary_user(), pytest.raises(DataError, match=r"b\.jsonl: cannot be read \(.*Permission denied"):
        file.read()


def test_a_closed_archive(names, folder):
    with zipfile.ZipFile(folder / "c.zip", "w") as archive:
        archive.writestr("c.jsonl", ROW)
    "".encode("cp437")  # how archives write names: imported late, and perhaps from a folder that is closed to others
    (folder / "c.zip").chmod(0o000)
    refused(names, folder, r"c\.zip: .*Permission denied")


@pytest.mark.parametrize("target", ["gone.jsonl", "c.jsonl", "/nowhere/at/all"])
def test_a_broken_link(names, folder, target):
    (folder / "below" / "c.jsonl").symlink_to(target)
    refused(names, folder, rf"below/c\.jsonl: the link to {target} is broken \(.*\); repair it, or move it away$")


def test_a_link_to_a_folder_is_followed_and_each_folder_read_once(names, folder, tmp_path):
    tmp_path.joinpath("d.jsonl").write_text(ROW)
    (folder / "elsewhere").symlink_to(tmp_path)
    (folder / "again").symlink_to(folder / "below")  # sorts before it, and yet comes second
    (folder / "below" / "loop").symlink_to(folder)
    (folder / "below" / "itself").symlink_to(".")
    assert names(folder) == ["a.jsonl", "below/b.jsonl", "elsewhere/d.jsonl"]


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_pipes_and_sockets_are_rejected_without_blocking(names, folder, kind):
    if kind == "pipe":
        os.mkfifo(folder / "below" / "c.jsonl")
    else:
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind(str(folder / "below" / "c.jsonl"))
    refused(names, folder, r"below/c\.jsonl: a pipe, socket or device, not a file; move it out of the folder$")


def test_a_pipe_named_by_itself(folder):
    os.mkfifo(folder / "c.jsonl")
    with pytest.raises(
        DataError, match=r"c\.jsonl: a pipe, socket or device cannot be read several times; save it as a file$"
    ):
        find_files(folder / "c.jsonl")


def test_a_folder_that_is_gone(folder):
    with pytest.raises(DataError, match=r"absent: the folder cannot be listed \(No such file or directory\)"):
        RawFolder(folder / "absent")


def test_links_in_a_tar_archive_are_files(folder):
    with tarfile.open(folder / "c.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("first.jsonl")
        member.size = len(ROW)
        archive.addfile(member, io.BytesIO(ROW.encode()))
        for name, kind in (("hard.jsonl", tarfile.LNKTYPE), ("soft.jsonl", tarfile.SYMTYPE)):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, "first.jsonl"
            archive.addfile(link)
        broken = tarfile.TarInfo("broken.jsonl")
        broken.type, broken.linkname = tarfile.SYMTYPE, "gone.jsonl"
        archive.addfile(broken)
    raw = RawFolder(folder)
    for name in ("first", "hard", "soft"):
        (file,) = raw.glob(f"{name}.jsonl")
        assert file.read() == ROW.encode()
    (file,) = raw.glob("broken.jsonl")
    with pytest.raises(DataError, match=r"broken\.jsonl: cannot be read"):
        file.read()


def test_the_command_prints_the_error_in_one_line(folder):
    (folder / "below" / "c.jsonl").symlink_to("gone.jsonl")
    command = [Path(sys.executable).with_name("dialogue-cube"), "build", "--own", folder, "--out", folder / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {folder}/below/c.jsonl: the link to gone.jsonl is broken")
    assert len(done.stderr.splitlines()) == 1
    assert not (folder / "out").exists()


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tar.xz", "a.tar", "a.zip"])
@pytest.mark.parametrize("content", [b"", b"not an archive" * 99, b"\x1f\x8b\x08\x00rest", b"PK\x03\x04rest"])
def test_what_is_no_archive_is_refused_in_one_line(tmp_path, name, content):
    """`tarfile` names all compressions that it has tried, each in a line."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: the archive is incomplete or damaged") as caught:
        RawFolder(tmp_path).glob("*.json")
    assert "\n" not in str(caught.value)


def test_a_message_that_quotes_a_file_is_one_line(tmp_path):
    """A name or value of the file may have line breaks, and be pages long."""
    for name in ("TrainingSet", "TestSet-1-MEDIQA-Chat-2023"):
        file = tmp_path / "Main-Dataset" / f"MTS-Dialog-{name}.csv"
        file.parent.mkdir(exist_ok=True)
        file.write_text('"ID\n\nof it",section_header,section_text,dialogue\n0,CC,Cough.,Doctor: Hi.\n')
    builder = get_builder("mts_dialog")(data_dir=tmp_path, cache_dir=tmp_path / "cache")
    shards = [(file, split) for split, files in builder.split_files.items() for file in files]
    with pytest.raises(DataError, match=r"MTS-Dialog-\S+\.csv") as caught:
        list(builder._generate_tables(shards))
    assert "\n" not in str(caught.value)
