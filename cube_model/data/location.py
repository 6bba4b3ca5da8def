"""Where a dataset was read from, for records and cards: a repository with its commit, or the name of a folder."""

from __future__ import annotations

import os
from pathlib import Path

from cube_model.errors import ModelError
from dataset_builders.common.locations import A_DATASET, is_folder
from dataset_builders.common.patience import TIMEOUT


def location_of(data: str | os.PathLike[str]) -> dict[str, str | None]:
    """Return the location of a dataset; to call while it can be read, since later nobody can tell the two apart.

    Args:
        data: Folder or Hub dataset repository.

    Returns:
        `{"repo": "org/name", "revision": commit}`, with None for a commit that cannot be found out; or
        `{"folder": name}`, without the path.

    Raises:
        ModelError: It is neither.
    """
    if is_folder(data, A_DATASET, error=ModelError):
        return {"folder": Path(data).expanduser().resolve().name}
    return {"repo": str(data), "revision": _commit(str(data))}


def _commit(repo: str) -> str | None:
    """The newest commit; without a connection, that of the cache, whose folder has its name."""
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return HfApi().dataset_info(repo, timeout=TIMEOUT).sha
    except Exception:  # offline, no network, no permission: a dozen exception types
        try:
            return Path(hf_hub_download(repo, "README.md", repo_type="dataset", local_files_only=True)).parent.name
        except LocalEntryNotFoundError:
            return None
