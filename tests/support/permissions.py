"""Folders that the current user may not read, also where the tests run as root."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Drop the rights of root, whom file permissions do not restrict."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)  # nobody
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def folder_for_everybody() -> Iterator[Path]:
    """Make a folder that every user may enter, unlike `tmp_path`; closed subfolders are opened at the end."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    with ordinary_user():
        if not os.access(root, os.R_OK | os.X_OK, effective_ids=True):
            pytest.skip("the folder of temporary files is closed to other users")
    try:
        yield root
    finally:
        for place, folders, _ in os.walk(root):
            for name in folders:
                if not Path(place, name).is_symlink():
                    Path(place, name).chmod(0o755)
        shutil.rmtree(root)
