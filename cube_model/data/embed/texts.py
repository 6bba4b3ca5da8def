"""The distinct texts of a dataset on disk, in sorted runs that are merged by ranges of keys.

A run holds some of the distinct texts of one file, sorted by key. Together, the runs hold every text at least once; no
process ever holds more than `_RUN_CHARACTERS` of them, or those of one range.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cube_model.data.hub import as_model_error, data_files
from cube_model.errors import ModelError
from cube_model.vectors.keys import KEY_BYTES, cache_keys, key_array, key_heads
from dataset_builders.common.integrity import rebuild_advice
from dataset_builders.common.storage import Storage

COLUMNS = {
    "pairs": ("anchor", "positive", "context", "negatives"),
    "dialogues": ("turns",),
    "downstream": ("utterance",),
}
"""Columns with texts by config: strings, lists of strings, or lists of structs with a field `text`."""

_BATCH_ROWS = 5_000
"""Rows read at once: a row group of `dialogue-cube build`."""

_RUN_TEXTS, _RUN_CHARACTERS = 1 << 18, 1 << 26
"""Maximum texts and characters of a run, which is made in memory."""

_BLOCK_TEXTS = 1 << 12
"""Texts of a run that are read together."""

_STARTS = b"starts"


def list_files(data: str, configs: Sequence[str]) -> list[dict[str, Any]]:
    """List the parquet files with the texts of a dataset.

    Args:
        data: Folder or Hub repository.
        configs: Names of the configs.

    Returns:
        `config`, `path`, which is an address for a Hub repository, and `state` of each file; the state changes with the
        content.

    Raises:
        ModelError: The dataset or a config does not exist, or its files are not parquet.
    """
    files = []
    for config in configs:
        paths = [path for split in data_files(data, config).values() for path in split]
        if other := [path for path in paths if not path.endswith(".parquet")]:
            raise ModelError(
                f"{data}: {other[0]} of the {config} config is not a parquet file; pass a folder made by "
                "`dialogue-cube build` or a Hub dataset with parquet files"
            )
        files += [{"config": config, "path": path, "state": _state(path)} for path in paths]
    return files


def _state(path: str) -> str:
    if "://" in path:
        return path  # has the commit
    facts = Path(path).stat()
    return f"{facts.st_size} bytes of {facts.st_mtime_ns}"


def collect_texts(storage: Storage, file: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Write the runs of one file.

    Args:
        storage: Working folder.
        file: Entry of `list_files`.
        name: Beginning of the names of the runs.

    Returns:
        `file` and number of `texts` of each run.

    Raises:
        ModelError: The file cannot be read.
    """
    runs: list[dict[str, Any]] = []
    texts: dict[bytes, str] = {}
    characters = 0
    for batch in _batches(file["config"], file["path"]):
        texts.update(zip(cache_keys(batch), batch, strict=True))
        characters += sum(map(len, batch))  # repeated texts count, too: an upper bound
        if len(texts) > _RUN_TEXTS or characters > _RUN_CHARACTERS:
            runs.append(_write_run(storage, f"{name}-{len(runs):03d}.arrow", texts))
            texts, characters = {}, 0
    if texts:
        runs.append(_write_run(storage, f"{name}-{len(runs):03d}.arrow", texts))
    return runs


def _batches(config: str, path: str) -> Iterator[list[str]]:
    """The distinct texts of some rows at a time."""
    import fsspec
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with as_model_error(path, f"texts of the {config} config"), fsspec.open(path, "rb") as opened:
        file = pq.ParquetFile(opened)
        wanted = [name for name in COLUMNS[config] if name in file.schema_arrow.names]
        if not wanted:
            raise ModelError(f"no column {' or '.join(COLUMNS[config])}; {rebuild_advice(path)}")
        leaves = [file.schema.column(i).path for i in range(len(file.schema))]
        leaves = [leaf for leaf in leaves if leaf.split(".")[0] in wanted]
        nested = {leaf.split(".")[0] for leaf in leaves if leaf.endswith(".text")}
        columns = [leaf for leaf in leaves if leaf.endswith(".text") or leaf.split(".")[0] not in nested]
        for batch in file.iter_batches(_BATCH_ROWS, columns=columns, use_threads=False):
            arrays = [_strings(batch.column(name)) for name in batch.schema.names]
            distinct = pc.unique(pa.chunked_array(arrays, pa.large_string()))
            yield [text for text in distinct.to_pylist() if text is not None]


def _strings(array: Any) -> Any:
    """The texts in a column of strings, of lists of strings, or of lists of structs with a text."""
    import pyarrow as pa

    while not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        array = array.field("text") if pa.types.is_struct(array.type) else array.flatten()
    return array.cast(pa.large_string())


def _write_run(storage: Storage, name: str, texts: dict[bytes, str]) -> dict[str, Any]:
    import pyarrow as pa

    keys = sorted(texts)
    table = pa.table(
        {
            "key": pa.array(keys, pa.binary(KEY_BYTES)),
            "text": pa.array([texts[key] for key in keys], pa.large_string()),
        }
    )
    starts = key_heads(key_array(keys[::_BLOCK_TEXTS])).tolist()
    schema = table.schema.with_metadata({_STARTS: json.dumps(starts).encode()})
    with storage.create(name) as path, pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_table(table.replace_schema_metadata(schema.metadata), max_chunksize=_BLOCK_TEXTS)
    return {"file": name, "texts": len(keys)}


def read_range(storage: Storage, runs: Sequence[dict[str, Any]], low: int, high: int) -> dict[bytes, str]:
    """Read the distinct texts of a range of keys.

    Args:
        storage: Working folder.
        runs: Runs of all files.
        low: Smallest head of a key; see `key_heads`.
        high: Smallest head beyond the range.

    Returns:
        Texts by key, ascending.
    """
    texts: dict[bytes, str] = {}
    for heads, batch in _blocks(storage, runs, low, high):
        rows = np.flatnonzero((heads >= np.uint64(low)) & (heads <= np.uint64(high - 1)))
        if len(rows):
            part = batch.slice(rows[0], rows[-1] - rows[0] + 1)
            texts.update(zip(part.column("key").to_pylist(), part.column("text").to_pylist(), strict=True))
    return {key: texts[key] for key in sorted(texts)}


def count_range(storage: Storage, runs: Sequence[dict[str, Any]], low: int, high: int) -> int:
    """Count the distinct texts of a range of keys, by the heads of their keys; see `read_range`."""
    parts = [np.empty(0, dtype=np.uint64)]
    for heads, _ in _blocks(storage, runs, low, high, keys_only=True):
        parts.append(heads[(heads >= np.uint64(low)) & (heads <= np.uint64(high - 1))])
    return len(np.unique(np.concatenate(parts)))


def _blocks(
    storage: Storage, runs: Sequence[dict[str, Any]], low: int, high: int, *, keys_only: bool = False
) -> Iterator[tuple[np.ndarray, Any]]:
    """The blocks of runs that overlap a range, with the heads of their keys."""
    import pyarrow as pa

    options = pa.ipc.IpcReadOptions(included_fields=[0] if keys_only else None, use_threads=False)
    for run in runs:
        with storage.open(run["file"]) as file:
            reader = pa.ipc.open_file(file, options=options)
            starts = json.loads(reader.schema.metadata[_STARTS])
            first = max(0, bisect.bisect_right(starts, low) - 1)
            for number in range(first, bisect.bisect_left(starts, high)):
                batch = reader.get_batch(number)
                yield key_heads(key_array(batch.column("key").to_pylist())), batch
