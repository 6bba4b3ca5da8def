"""A saved index: answers, their embeddings mapped by a core, and the fingerprints that these depend on.

INDEX/index.json             fingerprints of core, teacher and data; licences; versions; digests of the files
INDEX/answers.parquet        text, source, license, redistributable
INDEX/vectors.safetensors    float32 [m, dimension], norm 1, mapped by the core; opened as a memory map
INDEX/graph.faiss            graph of neighbours, above a million answers

Above four million answers, instead of `answers.parquet` and `graph.faiss`, all opened as memory maps:

INDEX/answers.arrow          as answers.parquet
INDEX/lists.faiss, .ivfdata  inverted lists; see `cube_model.inference.lists`
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
from cube_model.inference.lists import LISTS, LISTS_DATA, ListSearch
from cube_model.inference.search import GraphSearch, Search, make_search
from cube_model.machine import versions
from cube_model.vectors.tensors import create_tensor, map_tensors
from dataset_builders.common.files import needs_room
from dataset_builders.common.integrity import find_damage, xxh3
from dataset_builders.common.outputs import Output, OutputKind
from dataset_builders.common.reading import read_json

if TYPE_CHECKING:
    import pyarrow as pa

RECORD = "index.json"
VECTORS = "vectors.safetensors"
_ANSWERS, _MAPPED_ANSWERS, _GRAPH = "answers.parquet", "answers.arrow", "graph.faiss"
_FORMAT = 1
_SHAPE = {"format!": int, "answers!": int, "fingerprints!": {"*": str}, "digests": {"*": str}}
_ADVICE = "build it again with `dialogue-cube ask --data DATA --index DIR --overwrite`"
_ROWS = 1 << 16
"""Vectors that are copied at once."""
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
        aside = output.new
        try:
            with needs_room(output.place, "save it again", ModelError):
                aside.mkdir()
                write_answers(self.answers, aside, mapped=isinstance(self.search, ListSearch))
                vectors = create_tensor(aside / VECTORS, "vectors", self.search.vectors.shape)
                for start in range(0, len(vectors), _ROWS):
                    vectors[start : start + _ROWS] = self.search.vectors[start : start + _ROWS]
                vectors.flush()
                if isinstance(self.search, GraphSearch):
                    self.search.save(aside / _GRAPH)
                elif isinstance(self.search, ListSearch):
                    self.search.save(aside / LISTS)
                write_record(aside, self.answers, vectors.shape[1], self.fingerprints)
            output.put()
        except OSError as error:
            raise ModelError(f"{output.place}: cannot be written ({error.strerror or error})") from error
        output.discard_work()

    @classmethod
    def load(
        cls, folder: str | os.PathLike[str], expected: dict[str, str] | None = None, *, search: SearchKind = "auto"
    ) -> AnswerIndex:
        """Open a saved index; its embeddings stay on disk until they are read.

        Args:
            folder: Folder written by `save`.
            expected: Fingerprints to compare with those of the index: any of `"core"`, `"teacher"` and `"data"`.
            search: `"exact"`, `"graph"`, `"lists"`, or `"auto"`: the lists or graph of the index, if it has any.

        Raises:
            ModelError: The folder is not an index, is damaged, or has other fingerprints.
        """
        root = Path(folder).expanduser()
        record = _read_record(root)
        for part, fingerprint in (expected or {}).items():
            recorded = str(record["fingerprints"].get(part))
            if recorded != fingerprint:
                raise ModelError(
                    f"{root}: this index was made with another {_PARTS[part]} (fingerprint {recorded[:12]}, now "
                    f"{fingerprint[:12]}); build it again with --overwrite, or choose another --index"
                )
        if damage := find_damage(root, record.get("digests") or {}, xxh3):
            raise ModelError(f"{root / damage[0]}: {damage[1]} since the index was written; {_ADVICE}")
        try:
            answers = _read_answers(root)
            (vectors,) = map_tensors(root / VECTORS, "vectors")
        except Exception as error:  # pyarrow, safetensors and the file system raise a dozen types
            raise ModelError(f"{root}: the index is damaged ({error}); {_ADVICE}") from error
        if not len(answers) == len(vectors) == record["answers"]:
            raise ModelError(f"{root}: {len(answers)} answers but {len(vectors)} vectors; {_ADVICE}")
        return cls(answers, _open_search(root, vectors, search), dict(record["fingerprints"]))


def is_index(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder holds a saved index."""
    return (Path(folder).expanduser() / RECORD).is_file()


INDEX = OutputKind(
    "`dialogue-cube ask --index`",
    "--index",
    is_index,
    (RECORD, _ANSWERS, _MAPPED_ANSWERS, VECTORS, _GRAPH, LISTS, LISTS_DATA),
    error=ModelError,
    keeps_work=True,
)
"""Existing folders that a saved index may replace. The working folder keeps the parts of an index with lists."""


def write_answers(answers: pa.Table, folder: Path, *, mapped: bool) -> None:
    """Write the answers of an index.

    Args:
        answers: See `AnswerIndex`.
        folder: Folder to write to.
        mapped: Write a larger file, which is opened as a memory map.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not mapped:
        pq.write_table(answers, folder / _ANSWERS, compression="zstd")
        return
    with pa.OSFile(str(folder / _MAPPED_ANSWERS), "wb") as file, pa.ipc.new_file(file, answers.schema) as writer:
        writer.write_table(answers)


def write_record(folder: Path, answers: pa.Table, dimension: int, fingerprints: dict[str, str]) -> None:
    """Write the record of an index to its folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != RECORD)
    record = {
        "format": _FORMAT,
        "answers": len(answers),
        "dimension": dimension,
        "fingerprints": fingerprints,
        **licenses_of(answers),
        "versions": versions(),
        "digests": {path.name: xxh3(path) for path in files},
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_answers(root: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    mapped = root / _MAPPED_ANSWERS
    if mapped.is_file():
        return pa.ipc.open_file(pa.memory_map(str(mapped))).read_all()
    return pq.read_table(root / _ANSWERS, memory_map=True)


def _open_search(root: Path, vectors: np.ndarray, kind: SearchKind) -> Search:
    lists, graph = root / LISTS, root / _GRAPH
    if lists.is_file() and kind in ("auto", "lists"):
        return ListSearch(vectors, lists)
    if kind == "lists":
        raise ModelError(f"{root}: this index has no lists; build it again with --search lists --overwrite")
    return make_search(vectors, kind, graph if graph.is_file() else None)


def _read_record(root: Path) -> dict[str, Any]:
    if not (root / RECORD).exists():
        raise ModelError(f"{root}: no answer index; create one with `dialogue-cube ask --data DATA --index {root}`")
    record: dict[str, Any] = read_json(root / RECORD, _ADVICE, _SHAPE, error=ModelError)
    if record["format"] != _FORMAT:
        raise ModelError(f"{root}: index format {record['format']}, but this version reads {_FORMAT}; {_ADVICE}")
    return record
