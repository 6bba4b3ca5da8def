"""Virtual environments of other people, without access to this checkout.

`stranger` lacks this project, `installed` has its wheel, as `pip install` brings it. Since an installation of torch
takes minutes and gigabytes, the libraries in both are links to those of the test environment. `make strangers` makes
both environments with real installations and names their folder in `DIALOGUE_CUBE_VENVS`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

__all__ = ["installed", "stranger"]

ROOT = Path(__file__).parents[2]
_PROJECT_NAMES = re.compile(r"__editable__|dialogue_cube|dataset_builders|cube_model|push_scripts")


def make_environment(folder: Path) -> Path:
    """Make a virtual environment with the libraries and commands of this one, but without this project.

    Returns:
        Its Python.
    """
    venv.create(folder, symlinks=True, with_pip=False)
    python = folder / "bin" / "python"
    site = folder / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not _PROJECT_NAMES.search(entry.name):
            (site / entry.name).symlink_to(entry)
    for script in filter(Path.is_file, Path(sys.executable).parent.iterdir()):  # pip may compile scripts in a folder
        text = script.read_bytes()[:2000]
        if text.startswith(b"#!") and b"python" in text.splitlines()[0] and not script.is_symlink():
            body = script.read_bytes().partition(b"\n")[2]
            if not _PROJECT_NAMES.search(body.decode("utf-8", "replace")):
                (folder / "bin" / script.name).write_bytes(b"#!" + str(python).encode() + b"\n" + body)
                (folder / "bin" / script.name).chmod(0o755)
    return python


def _real_installation(name: str) -> Path | None:
    folder = os.environ.get("DIALOGUE_CUBE_VENVS")
    return Path(folder, name, "bin", "python").absolute() if folder else None


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment without this project."""
    python = _real_installation("stranger") or make_environment(tmp_path_factory.mktemp("stranger") / "venv")
    packages = ("cube_model", "dataset_builders", "push_scripts", "dialogue_cube")
    code = (
        f"from importlib.util import find_spec; print([n for n in (*{packages}, 'torch', 'datasets') if find_spec(n)])"
    )
    result = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "['torch', 'datasets']"
    return python


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with the wheel of this project."""
    if python := _real_installation("installed"):
        return python
    root = tmp_path_factory.mktemp("installed")
    python = make_environment(root / "venv")
    source = root / "source"  # a copy, since a build writes into its source folder
    skip = shutil.ignore_patterns("__pycache__")
    for name in ("dataset_builders", "cube_model", "push_scripts"):
        shutil.copytree(ROOT / name, source / name, ignore=skip)
    for name in ("pyproject.toml", "README.md", "LICENSE", "dialogue_cube.py"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(root), str(source)]
    subprocess.run(build, check=True)
    (wheel,) = root.glob("*.whl")
    subprocess.run([*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)], check=True)
    return python
