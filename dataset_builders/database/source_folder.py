"""Where the rows come from: a dataset folder on disk, or one fetched from the Hub."""

from __future__ import annotations

from pathlib import Path

from dataset_builders.common.errors import DataError

_WANTED = ["dialogues/*.parquet", "pairs/*.parquet", "downstream/*.parquet", "quality/*"]


def dataset_folder(data: str | Path) -> Path:
    """The folder itself, or a copy of a Hub dataset repository in the Hub's cache.

    Args:
        data: A folder made by `dialogue-cube build`, or a repository such as `org/dialogue-corpus`.

    Raises:
        DataError: Neither is there.
    """
    path = Path(data)
    if path.exists() or str(data).count("/") != 1 or str(data).startswith((".", "/", "~")):
        return path
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(snapshot_download(str(data), repo_type="dataset", allow_patterns=_WANTED))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
        what = f"no folder {data}, and the Hub gives no dataset of that name ({cause[:200]})"
        raise DataError(f"{what}; `dialogue-cube build` makes a folder") from error
