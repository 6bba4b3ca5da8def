"""Datasets on the Hub as local files: those of one config are downloaded into the cache of `huggingface_hub`."""

from __future__ import annotations

import fnmatch
import functools
import glob
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.common.listing import is_hidden
from dataset_builders.common.patience import explain_fault, read_hub
from dataset_builders.own_data.containers.inputs import EXTENSIONS, extension
from dataset_builders.own_data.containers.not_data import not_data
from dataset_builders.own_data.rejects import Rejected, one_line
from dataset_builders.own_data.split_names import split_of
from dataset_builders.schema import ALL

_PREFIX = "hf://datasets/"
_PLACE = re.compile(
    r"(?P<repo>[\w-][\w.-]*/[\w.-]+)(@(?P<revision>refs/[\w-]+/[\w.-]+|[^/:]+))?(/(?P<path>[^:]+)?)?(:(?P<config>[^/]+))?"
)
_ARCHIVES = frozenset({".zip", ".tar", ".tgz"})
_SHARD = re.compile(r"data/[^/]+-\d{5}-of-\d{5}[^/]*")
_README = "README.md"
_ABOUT = [_README, ".gitattributes"]  # the second one is in every repository: the client warns if no file matches
_JSON = frozenset({".jsonl", ".ndjson", ".jsonlines"})

LocalFile = tuple[str, Path, str]
"""Path in the dataset, path in the cache, and split: `train`, `validation`, `test`, or `ALL` if it has none."""


@dataclass(frozen=True)
class HubFiles:
    """The files of a dataset on the Hub, in the cache.

    Args:
        repo: Repository, `org/name`.
        commit: Commit of the files.
        files: The files, sorted by name.
        skipped: Files that hold no data, or other data than the config.
    """

    repo: str
    commit: str
    files: list[LocalFile]
    skipped: list[Rejected]

    def split(self, name: str) -> str:
        """The split of one of the files, or of a member or sheet of it (`faq.zip/a.csv`); `ALL` if it has none."""
        parts = [str(place) for place in (PurePosixPath(name), *PurePosixPath(name).parents)]
        splits = {file: split for file, _, split in self.files}
        return next((splits[part] for part in parts if part in splits), ALL)


def local_files(path: str) -> list[LocalFile] | None:
    """The files of a dataset on the Hub; see `find`."""
    dataset = find(path)
    return dataset.files if dataset else None


def find(path: str) -> HubFiles | None:
    """Download the files of a dataset on the Hub, unless they are in the cache; None if `path` is a local path.

    The files are those that `datasets` loads: those of a config in the dataset's card; without one, the shards in
    `data/`, else the files named after splits, else all data files; of the most frequent type. A path inside the
    dataset takes all data files below it. Without a connection, the newest complete copy in the cache is read.

    Args:
        path: `hf://datasets/ORG/NAME`, with `@REVISION`, `/FILE_OR_FOLDER` or `:CONFIG` if need be; or `ORG/NAME`, with
            `@REVISION` or `:CONFIG`, if there is neither such a local path nor a local folder `ORG`.

    Raises:
        DataError: There is no such dataset, it may not be read, it has no data files, or the Hub cannot be reached.
    """
    path = re.sub("^hf:/+", "hf://", path)  # `Path` merges the slashes
    place = _parse(path)
    if place is None:
        return None
    from huggingface_hub import get_cached_repo_tree, snapshot_download
    from huggingface_hub.errors import HFValidationError

    repo, revision = place["repo"], place["revision"]
    folder: Path | None = None
    try:
        # the name of its folder is the commit; it also stores the list of all files
        download = functools.partial(snapshot_download, repo, repo_type="dataset")
        folder = Path(read_hub(lambda: download(revision=revision, allow_patterns=_ABOUT)))
        names = [file.path for file in get_cached_repo_tree(repo, repo_type="dataset", revision=folder.name)]
        files, skipped = _choose(path, place, names, folder)
        wanted = [glob.escape(name) for name, _ in files]
        commit = folder.name
        read_hub(lambda: download(revision=commit, allow_patterns=wanted))
    except DataError:
        raise
    except HFValidationError as error:
        raise DataError(f"{path}: {one_line(str(error))}") from error
    except Exception as error:  # gated, unknown, offline, no network: a dozen exception types
        raise DataError(f"{path}: {_explain(error, repo, path, is_listed=folder is not None)}") from error
    return HubFiles(repo, folder.name, [(name, folder / name, split) for name, split in files], skipped)


def _parse(path: str) -> dict[str, str | Any] | None:
    """The parts of the address of a dataset; None for a local path."""
    if path.startswith("hf://"):
        match = _PLACE.fullmatch(path.removeprefix(_PREFIX).rstrip("/"))
        if match is None or not path.startswith(_PREFIX):
            raise DataError(f"{path}: expected hf://datasets/ORG/NAME, with @REVISION, /FOLDER or :CONFIG if need be")
    else:
        match = _PLACE.fullmatch(path)
        local = Path(path)
        is_file = extension(path) in EXTENSIONS | _ARCHIVES
        if match is None or match["path"] or is_file or local.exists() or local.parent.is_dir():
            return None
    parts = match.groupdict()
    if (parts["revision"] or "").startswith("~"):  # the short form that the Hub's file system has
        parts["revision"] = f"refs/convert/{parts['revision'][1:]}"
    return parts


def _choose(
    path: str, place: dict[str, Any], names: list[str], folder: Path
) -> tuple[list[tuple[str, str]], list[Rejected]]:
    """The files to read with their splits, and the skipped ones."""
    names = sorted(name for name in names if not is_hidden(PurePosixPath(name)))
    every = frozenset(names)
    skipped = {name: reason for name in names if (reason := not_data(name, every) or _not_by_name(name))}
    data = [name for name in names if name not in skipped]
    if inside := (place["path"] or "").strip("/"):
        selection = [(name, split_of(name)) for name in data if name.startswith(f"{inside}/")]
        selection += [(inside, split_of(inside))] if inside in every else []
        if not selection:
            raise DataError(f"{path}: no data file there; the dataset holds {_some(data or names)}")
        return selection, []
    configs = _configs(folder / _README)
    if configs or place["config"]:
        selection = _of_config(path, place, configs, data)
    else:
        selection = [(name, split_of(name)) for name in _by_convention(data)]
    if not selection:
        raise DataError(f"{path}: no data file in the dataset; it holds {_some(names)}")
    read = {name for name, _ in selection}
    other = f"other data than those that `datasets` loads; to read it: {_PREFIX}{place['repo']}/FILE"
    return selection, [Rejected(name, None, None, skipped.get(name, other)) for name in names if name not in read]


def _not_by_name(name: str) -> str:
    is_data = extension(name) in EXTENSIONS | _ARCHIVES or PurePosixPath(name).suffixes[-2:-1] == [".tar"]
    return "" if is_data else "not a data file by its name"


def _configs(readme: Path) -> dict[str, dict[str, Any]]:
    """The configs with data files in the card of a dataset, by name."""
    from huggingface_hub import metadata_load

    card = (metadata_load(readme) if readme.is_file() else None) or {}
    configs = card.get("configs")
    with_files = (
        [c for c in configs if isinstance(c, dict) and {"data_files", "data_dir"} & c.keys()]
        if isinstance(configs, list)
        else []
    )
    return {str(config.get("config_name", "default")): config for config in with_files}


def _of_config(
    path: str, place: dict[str, Any], configs: dict[str, dict[str, Any]], names: list[str]
) -> list[tuple[str, str]]:
    """The files of the config that the user named, or of the default one, with the splits that the card says."""
    defaults = [name for name, config in configs.items() if config.get("default") or name == "default"]
    name = place["config"] or next(iter(configs if len(configs) == 1 else defaults), None)
    if name not in configs:
        problem = f"no config {name}" if name else "several configs"
        available = ", ".join(configs) or "none"
        raise DataError(f"{path}: {problem}; name one, as in {place['repo']}:CONFIG; there are: {available}")
    files = configs[name].get("data_files", "**")
    entries = files if isinstance(files, list) else [files]
    splits: dict[str, str] = {}
    for entry in entries:
        is_split = isinstance(entry, dict)
        patterns = entry.get("path", []) if is_split else entry
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            matches = _glob(names, f"{configs[name].get('data_dir', '')}/{pattern}".strip("/").removeprefix("./"))
            for match in matches:
                splits.setdefault(match, split_of(str(entry.get("split", ""))) if is_split else split_of(match))
    return sorted(splits.items())


def _glob(names: Iterable[str], pattern: str) -> list[str]:
    from fsspec.utils import glob_translate

    try:
        expression = re.compile(glob_translate(pattern))
    except ValueError:  # ** beside other characters
        expression = re.compile(fnmatch.translate(pattern))
    return [name for name in names if expression.match(name)]


def _by_convention(names: list[str]) -> list[str]:
    """The files that `datasets` loads if the card has no configs."""
    shards = [name for name in names if _SHARD.fullmatch(name)]
    selection = shards or [name for name in names if split_of(name) != ALL] or names
    types = Counter(map(_type, selection))
    return [name for name in selection if _type(name) == max(types, key=lambda t: types[t])]


def _type(name: str) -> str:
    suffix = extension(name)
    return ".json" if suffix in _JSON else suffix


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") if names else "nothing"


def _explain(error: Exception, repo: str, path: str, *, is_listed: bool) -> str:
    from huggingface_hub import constants, errors

    cause = one_line(str(error))[:200] or type(error).__name__
    if isinstance(error, errors.GatedRepoError):
        page = f"{constants.ENDPOINT}/datasets/{repo}"
        return f"its owner grants access: ask for it at {page}, then log in with `hf auth login`, or set HF_TOKEN"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the dataset {repo} has no such revision; check the branch, tag or commit"
    if isinstance(error, errors.RepositoryNotFoundError):
        local = "" if path.startswith("hf://") else "no such file or folder, and "
        advice = "check the name, or log in with `hf auth login` if it is private"
        return f"{local}no dataset {repo} on the Hub that you can read; {advice}"
    is_absent = isinstance(error, (errors.LocalEntryNotFoundError, errors.CachedRepoTreeNotFoundError))
    if is_absent and (is_listed or isinstance(error, errors.IncompleteSnapshotError)):
        return "the Hub cannot be reached, and the cache has only some of its files; connect and try again"
    if is_absent:
        local = "" if path.startswith("hf://") else "no such file or folder, "
        return f"{local}the Hub cannot be reached, and the cache lacks the dataset; check the path or the connection"
    return explain_fault(error, repo) or f"cannot be downloaded ({cause})"
