"""A saved index: answers, their embeddings mapped by a core, and the fingerprints that these depend on.

INDEX/index.json             fingerprints of core, teacher and data; licences; versions
INDEX/answers.parquet        text, source, license, redistributable
INDEX/vectors.safetensors    float32 [m, dimension], norm 1, mapped by the core; opened as a memory map
INDEX/graph.faiss            graph of neighbours, above a million answers
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.errors import ModelError
from cube_model.inference.answers import licenses_of
from cube_model.inference.choices import SearchKind
from cube_model.inference.search import GraphSearch, Search, make_search
from cube_model.machine import versions
from dataset_builders.common.files import needs_room
from dataset_builders.common.outputs import Output, OutputKind

if TYPE_CHECKING:
    import pyarrow as pa

RECORD = "index.json"
_ANSWERS, _VECTORS, _GRAPH = "answers.parquet", "vectors.safetensors", "graph.faiss"
_FORMAT = 1
_PARTS = {"core": "core", "teacher": "teacher", "data": "dataset"}
"""Words for error messages by key of the fingerprints."""


@dataclass(frozen=True)
class AnswerIndex:
    """Answers and a search over their embeddings.

    Attributes:
        answers: m rows with the columns text, source, license, redistributable.
        search: Search over the embeddings, float32 `[m, dimension]`, of norm 1.
        fingerprints: Fingerprints of the `"core"`, `"teacher"` and `"data"` that the index was made from.
    """

    answers: pa.Table
    search: Search
    fingerprints: dict[str, str]

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the index to a folder, atomically.

        Args:
            folder: Folder to create.
            overwrite: Replace an existing index.

        Raises:
            ModelError: The folder exists and must not be replaced, or it cannot be written.
        """
        with Output(folder, INDEX, overwrite=overwrite).claimed() as output:
            self.write(output)

    def write(self, output: Output) -> None:
        """Write the index to a claimed folder.

        Args:
            output: Claimed output of the kind `INDEX`.

        Raises:
            ModelError: It cannot be written, or something foreign appeared in its place.
        """
        import pyarrow.parquet as pq
        from safetensors.numpy import save_file

        aside = output.new
        try:
            with needs_room(output.place, "save it again", ModelError):
                aside.mkdir()
                pq.write_table(self.answers, aside / _ANSWERS, compression="zstd")
                save_file({"vectors": np.ascontiguousarray(self.search.vectors)}, aside / _VECTORS)
                if isinstance(self.search, GraphSearch):
                    self.search.save(aside / _GRAPH)
                record = {
                    "format": _FORMAT,
                    "answers": len(self.answers),
                    "dimension": int(self.search.vectors.shape[1]),
                    "fingerprints": self.fingerprints,
                    **licenses_of(self.answers),
                    "versions": versions(),
                }
                (aside / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            output.put()
        except OSError as error:
            raise ModelError(f"{output.place}: cannot be written ({error.strerror or error})") from error

    @classmethod
    def load(
        cls, folder: str | os.PathLike[str], expected: dict[str, str] | None = None, *, search: SearchKind = "auto"
    ) -> AnswerIndex:
        """Open a saved index; its embeddings stay on disk until they are read.

        Args:
            folder: Folder written by `save`.
            expected: Fingerprints to compare with those of the index: any of `"core"`, `"teacher"` and `"data"`.
            search: `"auto"`, `"exact"` or `"graph"`; see `make_search`.

        Raises:
            ModelError: The folder is not an index, is damaged, or has other fingerprints.
        """
        import pyarrow.parquet as pq

        root = Path(folder).expanduser()
        record = _read_record(root)
        for part, fingerprint in (expected or {}).items():
            recorded = str(record["fingerprints"].get(part))
            if recorded != fingerprint:
                raise ModelError(
                    f"{root}: this index was made with another {_PARTS[part]} (fingerprint {recorded[:12]}, now "
                    f"{fingerprint[:12]}); build it again with --overwrite, or choose another --index"
                )
        try:
            answers = pq.read_table(root / _ANSWERS, memory_map=True)
            vectors = _map_vectors(root / _VECTORS)
        except Exception as error:  # pyarrow, safetensors and the file system raise a dozen types
            raise ModelError(f"{root}: the index is damaged ({error}); build it again with --overwrite") from error
        if not len(answers) == len(vectors) == record["answers"]:
            raise ModelError(f"{root}: {len(answers)} answers but {len(vectors)} vectors; build it again")
        graph = root / _GRAPH
        return cls(
            answers, make_search(vectors, search, graph if graph.is_file() else None), dict(record["fingerprints"])
        )


def is_index(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder holds a saved index."""
    return (Path(folder).expanduser() / RECORD).is_file()


INDEX = OutputKind(
    "`dialogue-cube ask --index`", "--index", is_index, (RECORD, _ANSWERS, _VECTORS, _GRAPH), error=ModelError
)
"""Existing folders that a saved index may replace."""


def _read_record(root: Path) -> dict[str, Any]:
    try:
        record = json.loads((root / RECORD).read_text(encoding="utf-8"))
        if record["format"] == _FORMAT:
            return dict(record)
    except OSError as error:
        raise ModelError(
            f"{root}: no answer index; create one with `dialogue-cube ask --data DATA --index {root}`"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{root / RECORD}: not an index record; build the index again with --overwrite") from error
    raise ModelError(f"{root}: index format {record['format']}, but this version reads {_FORMAT}; build it again")


def _map_vectors(path: Path) -> np.ndarray:
    """The embeddings as a memory map, by the safetensors reader for torch; the one for numpy copies the file."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return np.asarray(file.get_tensor("vectors").numpy())
