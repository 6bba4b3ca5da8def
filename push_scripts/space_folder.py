"""The folder of a Space: its page, its program, this package beside it, and pinned requirements.

SPACE/README.md            header with sdk, models, datasets and licence
SPACE/app.py               the Gradio app, or
SPACE/Dockerfile           the container of the dashboard
SPACE/settings.json        names of model and dataset
SPACE/requirements.txt     versions of this installation
SPACE/cube_model/ ...      this package, with its metadata: an unpacked wheel

The package lies beside the program because a Space installs its requirements before its other files are there: it
cannot install a wheel of its own, and a private Space cannot download one without a token.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any, Literal

import yaml

from dataset_builders.common.listing import is_hidden
from push_scripts.errors import PushError

Kind = Literal["gradio", "dashboard"]

PACKAGES = ("cube_model", "dataset_builders", "push_scripts")
OWNED = re.compile(
    rf"README\.md|app\.py|Dockerfile|settings\.json|requirements\.txt|dialogue_cube\.py|"
    rf"(?:{'|'.join(PACKAGES)})/.+|dialogue_cube-[^/]+\.dist-info/.+"
)
"""Files of an earlier push that a new one replaces or deletes."""

PACKAGE_DATA: dict[str, tuple[str, ...]] = {
    "dataset_builders": (
        *("py.typed", "card/*.jinja", "quality/report/*.jinja", "sql/*.sql", "sql/*/*.sql", "notebooks/*.ipynb"),
        *("pretrain/*.tsv", "downstream/*.tsv", "sample/texts/*.txt", "dashboard/texts/*.yaml"),
        *("dashboard/map/*.html", "dashboard/map/*.css", "dashboard/map/*.js"),
    ),
    "cube_model": (
        *("py.typed", "assistant/*.jinja", "assistant/*.txt", "card/model_card.md", "inference/*.jinja"),
        *("core/*.json", "core/*.txt", "flow/*.jinja", "flow/*.js", "serving/*.jinja"),
    ),
    "push_scripts": ("py.typed", "space/*"),
}
"""Files of the packages beside their code; a test compares them with pyproject.toml."""

_TEMPLATES = Path(__file__).parent / "space"
_CPU = "--extra-index-url https://download.pytorch.org/whl/cpu"
_EXTRAS = {"gradio": "space", "dashboard": "dashboard"}
_QUESTIONS = [
    "Is there a cheap hotel in the north?",
    "Can I book a table for four people?",
    "When does the train leave?",
]


@dataclass(frozen=True)
class Space:
    """What a Space shows.

    Args:
        kind: `"gradio"`: an app that asks the core; `"dashboard"`: the dashboard of the dataset.
        repo: Repository of the Space, `org/name`.
        model: Repository of the core; required for `"gradio"`.
        data: Dataset repository.
        teacher: Repository of the core's teacher. Default: the one that the core records.
        max_answers: Number of answers, and of utterances, that the app encodes at its start.
    """

    kind: Kind
    repo: str
    data: str
    model: str | None = None
    teacher: str | None = None
    max_answers: int = 5000

    @property
    def sdk(self) -> str:
        """SDK of the Space on the Hub."""
        return "gradio" if self.kind == "gradio" else "docker"

    def write(self, folder: Path) -> None:
        """Write all files to an existing folder.

        Raises:
            PushError: An extra of this installation is missing, whose versions the Space needs.
        """
        texts = {"README.md": self._page(), "requirements.txt": "\n".join([_CPU, *self._requirements()]) + "\n"}
        if self.kind == "gradio":
            texts["app.py"] = (_TEMPLATES / "app.py").read_text(encoding="utf-8")
            texts["settings.json"] = json.dumps(self._settings(), indent=1, ensure_ascii=False) + "\n"
        else:
            texts["Dockerfile"] = (_TEMPLATES / "Dockerfile").read_text(encoding="utf-8").replace("{data}", self.data)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        copy_package(folder)

    def _settings(self) -> dict[str, Any]:
        return {
            "title": self._title,
            "model": self.model,
            "data": self.data,
            "teacher": self.teacher,
            "max_answers": self.max_answers,
            "questions": _QUESTIONS,
        }

    @property
    def _title(self) -> str:
        return self.repo.split("/")[1].replace("-", " ").replace("_", " ").capitalize()

    def _page(self) -> str:
        header: dict[str, Any] = {"title": self._title, "emoji": "💬", "colorFrom": "blue", "colorTo": "gray"}
        if self.kind == "gradio":
            header |= {
                "sdk": "gradio",
                "sdk_version": version("gradio"),
                "python_version": "3.11",
                "app_file": "app.py",
            }
        else:
            header |= {"sdk": "docker", "app_port": 7860}
        header |= {"pinned": False, "license": "apache-2.0"}
        header |= {"models": [self.model]} if self.model else {}
        header |= {"datasets": [self.data]}
        shown = (
            f"`{self.model}` on answers of `{self.data}`"
            if self.kind == "gradio"
            else f"the dashboard of `{self.data}`"
        )
        text = f"# {self._title}\n\nThis Space shows {shown}. The texts keep the licences of their sources.\n"
        return f"---\n{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---\n\n{text}"

    def _requirements(self) -> list[str]:
        extra = _EXTRAS[self.kind]
        names = set()
        for line in distribution("dialogue-cube").requires or []:
            requirement, _, marker = line.partition(";")
            if "extra" not in marker or re.search(rf"extra == ['\"]{extra}['\"]", marker):
                names.add(re.split(r"[^\w.-]", requirement.strip())[0])
        try:
            return sorted(f"{name}=={version(name)}" for name in names)
        except ModuleNotFoundError as error:
            raise PushError(f"the Space needs {error.name}: pip install 'dialogue-cube[{extra}]'") from error


def copy_package(folder: Path, root: Path = Path(__file__).parents[1]) -> None:
    """Copy this package and its metadata to a folder, as an unpacked wheel.

    Args:
        folder: Existing folder.
        root: Folder of the package, an installation or a checkout: other files in it, such as a dataset that somebody
            built there, are left out.
    """
    for name in PACKAGES:
        files = {path for kind in ("**/*.py", *PACKAGE_DATA[name]) for path in (root / name).glob(kind)}
        for path in sorted(path for path in files if path.is_file() and not is_hidden(path.relative_to(root))):
            target = folder / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    shutil.copyfile(root / "dialogue_cube.py", folder / "dialogue_cube.py")
    ours = distribution("dialogue-cube")
    metadata = folder / f"dialogue_cube-{ours.version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dialogue-cube\nVersion: {ours.version}\n")
    (metadata / "entry_points.txt").write_text(ours.read_text("entry_points.txt") or "", encoding="utf-8")


def files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield path in the repository and local file of all files."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path
