"""The entries of an assistant on disk: small segments that are only added, and a manifest that is replaced.

A/manifest.json                              version, segments with the digests of their files, `calibrated`
A/calibration.json                           the calibration; calibration-N.json after the N-th `assistant calibrate`
A/segments/000001/entries.parquet            entries; see `entries.schema`
A/segments/000001/vectors.safetensors        `questions`, float32 [n, dimension]
A/segments/000001/answers.safetensors        `answers`, float32 [n, dimension]
A/segments/000001/removed.json               ids that are removed from the segments before it
A/.lock                                      held by a writer

A writer makes a segment aside, synchronises it with the disk, renames it, and only then replaces the manifest in one
step. A writer that is killed leaves the version before or the one after; what else it leaves is swept by the next one.
Readers take no lock: they read the manifest, then its segments. If a compaction deletes one meanwhile, the manifest has
changed, and they read it again.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.assistant.retrieval import Segment, View
from cube_model.errors import ModelError
from dataset_builders.common.files import exclusive, make_readable, needs_room, synchronise, write_whole
from dataset_builders.common.integrity import find_damage, xxh3
from dataset_builders.common.reading import read_json
from dataset_builders.common.seals import write_sealed

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "manifest.json"
SEGMENTS = "segments"
FORMAT = 1

CALIBRATION = "calibration.json"

ENTRIES, VECTORS, ANSWERS, REMOVED = "entries.parquet", "vectors.safetensors", "answers.safetensors", "removed.json"

_MOST_SEGMENTS = 32
"""Segments that are merged when another one is added."""

_TRIES = 20
"""How often a reader reads again because a writer has changed the segments meanwhile."""

_CALIBRATION_NAME = re.compile(r"calibration(-\d{6,})?\.json")
_SEGMENT_NAME = re.compile(r"\d{6,}|\.\d{6,}\.part")

_ADVICE = "build it again with `dialogue-cube assistant build`"
_SEGMENT = {"name!": str, "entries!": int, "removed!": int, "digests!": {"*": str}}
_CALIBRATED = {"file!": str, "version!": int, "number!": int}
_SHAPE = {
    **{"format!": int, "version!": int, "segments!": [_SEGMENT], "encoder!": dict, "files": {"*": str}},
    **{"calibrated": _CALIBRATED},
}


@dataclass(frozen=True)
class _Loaded:
    """A segment in memory.

    Attributes:
        segment: Its entries.
        removed: Ids that it removes from earlier segments.
    """

    segment: Segment
    removed: frozenset[str]


class AnswerStore:
    """The entries of an assistant's folder.

    Args:
        folder: Folder that `dialogue-cube assistant build` wrote.

    Raises:
        ModelError: It is not one, is damaged, or of another version of this package.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._loaded: dict[tuple[str, ...], _Loaded] = {}
        self._state: tuple[int, ...] = ()
        self._view: View | None = None
        self._encoded_by = _encoded_by(self.manifest())

    def manifest(self) -> dict[str, Any]:
        """Read the manifest.

        Raises:
            ModelError: See `AnswerStore`.
        """
        return read_manifest(self.folder)

    def view(self) -> View:
        """Return the entries at the newest version; reads only what is new since the last call.

        Raises:
            ModelError: A segment is damaged.
        """
        state = self._file_state()
        if self._view is not None and state == self._state:
            return self._view
        for last in [False] * (_TRIES - 1) + [True]:
            state = self._file_state()
            manifest = self.manifest()
            try:
                view = self._load(manifest)
            except (ModelError, OSError):
                if last or self.manifest()["version"] == manifest["version"]:
                    raise
                continue
            self._view, self._state = view, state
            return view
        raise AssertionError

    def add(self, table: pa.Table, vectors: np.ndarray, answers: np.ndarray) -> int:
        """Add entries; those whose id is there already stay as they are.

        Args:
            table: n entries.
            vectors: float32 `[n, dimension]`, of length 1: their questions.
            answers: The same for their answers.

        Returns:
            Number of entries that were added.

        Raises:
            ModelError: The folder cannot be written.
        """
        import pyarrow as pa

        with self._writing() as manifest:
            view = self._load(manifest)
            there = set(view.table["id"].filter(pa.array(view.alive)).to_pylist())
            new = np.array([id not in there for id in table["id"].to_pylist()], bool)
            if new.any():
                self._append(manifest, table.filter(pa.array(new)), vectors[new], answers[new], ())
            return int(new.sum())

    def remove(self, ids: Sequence[str]) -> int:
        """Remove entries.

        Args:
            ids: Their ids.

        Returns:
            Number of entries that were removed.

        Raises:
            ModelError: There is no entry of an id, none would be left, or the folder cannot be written.
        """
        import pyarrow as pa

        with self._writing() as manifest:
            view = self._load(manifest)
            there = set(view.table["id"].filter(pa.array(view.alive)).to_pylist())
            if missing := sorted(set(ids) - there):
                raise ModelError(f"{self.folder}: no answer with the id {missing[0]}; `reply --json` shows the ids")
            if there == set(ids):
                raise ModelError(f"{self.folder}: these are all its answers; an assistant needs at least one")
            empty = view.table.slice(0, 0)
            none = np.empty((0, view.segments[0].vectors.shape[1]), np.float32)
            self._append(manifest, empty, none, none, ids)
            return len(set(ids))

    def compact(self) -> None:
        """Merge all segments into one, without the entries that were removed.

        Raises:
            ModelError: The folder cannot be written.
        """
        with self._writing() as manifest:
            self._compact(manifest)

    def put_calibration(self, content: Mapping[str, Any], card: str, version: int) -> None:
        """Replace the calibration, and the card unless somebody has edited it. Readers go on with the ones before.

        Args:
            content: Content of the file.
            card: Text of the card, sealed.
            version: Version of the answers that it was made for.

        Raises:
            ModelError: The answers have changed since, or the folder cannot be written.
        """
        with self._writing() as manifest:
            if manifest["version"] != version:
                raise ModelError(f"{self.folder}: its answers have changed meanwhile; run the same command again")
            before = calibrated_of(manifest)
            number = before["number"] + 1
            name = f"calibration-{number:06}.json"
            write_whole(self.folder / name, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
            write_sealed(self.folder / "README.md", card)
            files = {**(manifest.get("files") or {}), name: xxh3(self.folder / name)}
            files.pop(before["file"], None)
            calibrated = {"file": name, "version": version, "number": number}
            content = {**manifest, "files": files, "calibrated": calibrated}
            write_whole(self.folder / MANIFEST, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
            for path in self.folder.glob("calibration*.json"):
                # somebody may have opened the one before just now; `calibration-backup.json` is not ours
                if path.name not in (name, before["file"]) and _CALIBRATION_NAME.fullmatch(path.name):
                    path.unlink(missing_ok=True)

    def _compact(self, manifest: dict[str, Any]) -> None:
        import pyarrow as pa

        view = self._load(manifest)
        rows = np.flatnonzero(view.alive)
        table = view.table.take(pa.array(rows)).combine_chunks()
        self._append({**manifest, "segments": []}, table, view.vectors(rows), view.answer_vectors(rows), ())
        self._sweep(self.manifest())

    def _append(
        self,
        manifest: dict[str, Any],
        table: pa.Table,
        vectors: np.ndarray,
        answers: np.ndarray,
        removed: Sequence[str],
    ) -> None:
        version = int(manifest["version"]) + 1
        segments = [*manifest["segments"], write_segment(self.folder, version, table, vectors, answers, removed)]
        content = {**manifest, "version": version, "segments": segments}
        write_whole(self.folder / MANIFEST, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        if len(segments) > _MOST_SEGMENTS:
            self._compact(content)

    @contextmanager
    def _writing(self) -> Iterator[dict[str, Any]]:
        """Hold the lock of writers, and sweep what a killed one has left."""

        def busy(holder: str) -> Exception:
            return ModelError(f"{self.folder}: {holder} is writing it")

        try:
            room = needs_room(self.folder, "run the same command again", ModelError)
            with room, exclusive(self.folder / ".lock", busy, wait=True):
                manifest = self.manifest()
                self._sweep(manifest)
                yield manifest
        except OSError as error:
            raise ModelError(f"{self.folder}: cannot be written ({error.strerror or error})") from error

    def _sweep(self, manifest: dict[str, Any]) -> None:
        names = {segment["name"] for segment in manifest["segments"]}
        for path in (self.folder / SEGMENTS).iterdir():
            if path.name not in names and _SEGMENT_NAME.fullmatch(path.name):  # nothing that somebody put there
                shutil.rmtree(path, ignore_errors=True)

    def _load(self, manifest: dict[str, Any]) -> View:
        if _encoded_by(manifest) != self._encoded_by:
            raise ModelError(f"{self.folder}: was built again with another encoder or core meanwhile; open it again")
        loaded = {}
        for facts in manifest["segments"]:
            # an assistant that is built again has other segments of the same names
            key = (facts["name"], *sorted(facts["digests"].values()))
            loaded[key] = self._loaded.get(key) or _read_segment(self.folder / SEGMENTS / facts["name"], facts)
        self._loaded = loaded
        return _view(list(loaded.values()), manifest)

    def _file_state(self) -> tuple[int, ...]:
        try:
            state = (self.folder / MANIFEST).stat()
        except OSError as error:
            raise ModelError(f"{self.folder}: no assistant any more ({error.strerror}); {_ADVICE}") from error
        return state.st_ino, state.st_size, state.st_mtime_ns


def _encoded_by(manifest: Mapping[str, Any]) -> tuple[object, ...]:
    """What the vectors of the entries depend on."""
    core, encoder = manifest.get("core"), manifest["encoder"]
    return encoder.get("fingerprint"), encoder.get("joined_turns"), core.get("fingerprint") if core else None


@contextmanager
def writers_locked_out(folder: Path) -> Iterator[None]:
    """Keep `add` and `remove` from writing to an assistant while another one takes its place; free if there is none."""
    with ExitStack() as held:
        if is_assistant(folder):
            held.enter_context(exclusive(folder / ".lock", ModelError, wait=True))
        yield


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of an assistant.

    Raises:
        ModelError: There is none, it is damaged, or of another version of this package.
    """
    file = folder / MANIFEST
    if not file.is_file():
        raise ModelError(f"{folder}: not an assistant; make one with `dialogue-cube assistant build --out {folder}`")
    manifest: dict[str, Any] = read_json(file, _ADVICE, _SHAPE, error=ModelError)
    if manifest["format"] != FORMAT:
        raise ModelError(
            f"{folder}: assistant of format {manifest['format']}, but this version reads {FORMAT}; {_ADVICE}"
        )
    return manifest


def is_assistant(folder: Path) -> bool:
    """Return whether a folder holds an assistant."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and {"segments", "encoder", "version"} <= content.keys()


def write_segment(
    folder: Path, version: int, table: pa.Table, vectors: np.ndarray, answers: np.ndarray, removed: Iterable[str] = ()
) -> dict[str, Any]:
    """Write a segment as a whole or not at all.

    Args:
        folder: Folder of the assistant.
        version: Version that the segment makes.
        table: n entries.
        vectors: float32 `[n, dimension]`: their questions.
        answers: The same for their answers.
        removed: Ids that are removed from the segments before it.

    Returns:
        Its entry in the manifest.
    """
    import pyarrow.parquet as pq
    from safetensors.numpy import save_file

    place = folder / SEGMENTS / f"{version:06}"
    aside = place.with_name(f".{place.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)
    aside.mkdir(parents=True)
    pq.write_table(table, aside / ENTRIES, compression="zstd")
    save_file({"questions": np.ascontiguousarray(vectors, np.float32)}, aside / VECTORS)
    save_file({"answers": np.ascontiguousarray(answers, np.float32)}, aside / ANSWERS)
    ids = sorted(set(removed))
    (aside / REMOVED).write_text(json.dumps(ids) + "\n", encoding="utf-8")
    make_readable(aside)
    synchronise(aside)
    digests = {path.name: xxh3(path) for path in sorted(aside.iterdir())}
    aside.rename(place)
    synchronise(place.parent, below=False)
    return {"name": place.name, "entries": len(table), "removed": len(ids), "digests": digests}


def _read_segment(folder: Path, facts: Mapping[str, Any]) -> _Loaded:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from cube_model.assistant.entries import domains_of, schema
    from cube_model.vectors.tensors import map_tensor

    if damage := find_damage(folder, facts["digests"], xxh3):
        raise ModelError(f"{folder / damage[0]}: {damage[1]} since it was written; {_ADVICE}")
    try:
        table = pq.read_table(folder / ENTRIES)
        if "template" not in table.column_names:  # an earlier version wrote services, and no templates
            domains = pa.array([domains_of(names) for names in table["domains"].to_pylist()], pa.list_(pa.string()))
            table = table.set_column(table.schema.get_field_index("domains"), "domains", domains)
            table = table.append_column("template", pa.nulls(len(table)))
        table = table.cast(schema())
        vectors = map_tensor(folder / VECTORS, "questions")
        answers = map_tensor(folder / ANSWERS, "answers")
    except Exception as error:  # pyarrow, safetensors and the file system raise a dozen types
        raise ModelError(f"{folder}: damaged ({str(error).splitlines()[0]}); {_ADVICE}") from error
    if not len(table) == len(vectors) == len(answers) == facts["entries"]:
        raise ModelError(f"{folder}: {len(table)} entries but {len(vectors)} vectors; {_ADVICE}")
    removed = read_json(folder / REMOVED, _ADVICE, [str], error=ModelError)
    return _Loaded(Segment.of(table, vectors, answers), frozenset(removed))


def calibrated_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the file of the calibration, the version it was made for, and how often it was made again."""
    return dict(manifest.get("calibrated") or {"file": CALIBRATION, "version": 1, "number": 0})


def _view(loaded: Sequence[_Loaded], manifest: Mapping[str, Any]) -> View:
    """Put segments together; an id counts as removed in the segments before the one that removes it."""
    gone: set[str] = set()
    alive = []
    for part in reversed(loaded):
        ids = part.segment.table["id"].to_pylist()
        alive.append(np.array([id not in gone for id in ids], bool))
        gone |= part.removed
    segments = [part.segment for part in loaded]
    return View(segments, np.concatenate(alive[::-1]), int(manifest["version"]), calibrated_of(manifest))
