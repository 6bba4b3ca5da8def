"""Publish a saved answer index: it quotes a corpus, so it passes the licence gate too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from push_scripts.errors import PushError
from push_scripts.held_back import LONG_TEXT
from push_scripts.license_gate import GateReport, LicenseGate
from push_scripts.model_folder import ModelFolder

if TYPE_CHECKING:
    import pyarrow as pa


def admitted(answers: pa.Table) -> pa.ChunkedArray:
    """Return a mask of the answers that may be published, bool `[m]`.

    An answer that repeats a held-back one, but for case and punctuation, is held back too; short ones may repeat.
    """
    import pyarrow.compute as pc

    mask = LicenseGate({}).passes(answers)
    letters = pc.replace_substring_regex(pc.utf8_lower(answers["text"]), r"[^\p{L}\p{N}]+", " ")
    letters = pc.utf8_trim(letters, " ")
    is_long = pc.greater_equal(pc.count_substring(letters, " "), LONG_TEXT - 1)
    held_back = letters.filter(pc.invert(mask)).combine_chunks()
    return pc.and_not(mask, pc.and_(is_long, pc.is_in(letters, value_set=held_back.unique())))


def admit_index(index: Path, folder: ModelFolder, target: Path) -> tuple[dict[str, Any], GateReport]:
    """Write the answers that may be published, and their vectors, to a new folder.

    Args:
        index: Folder that `dialogue-cube ask --index` saved.
        folder: The core that made the index.
        target: Folder to create.

    Returns:
        The record of the new index (`index.json`), and the report of the gate.

    Raises:
        PushError: The folder holds no index, the index of another core, or no answer that may be published.
    """
    import pyarrow.compute as pc

    from cube_model.errors import ModelError
    from cube_model.inference.answers import answers_fingerprint
    from cube_model.inference.index import RECORD, AnswerIndex
    from cube_model.inference.loading import core_fingerprint, load_core
    from cube_model.inference.search import make_search

    if folder.kind != "core":
        raise PushError(f"--index needs a core; {folder.path} is an {folder.kind}")
    try:
        core = load_core(folder.path)
        teacher = core.config.teacher or {}
        original = AnswerIndex.load(index, {"core": core_fingerprint(core), "teacher": str(teacher.get("fingerprint"))})
    except ModelError as error:
        raise PushError(f"--index {error}") from error
    mask = admitted(original.answers)
    report = GateReport()
    report.count("index", original.answers, mask)
    answers = original.answers.filter(mask)
    if not len(answers):
        raise PushError(f"--index {index}: none of its {len(original.answers):,} answers may be redistributed")
    vectors = original.search.vectors[mask.to_numpy()]
    fingerprints = original.fingerprints
    if not pc.all(mask).as_py():
        fingerprints = {**fingerprints, "data": answers_fingerprint(answers)}
    AnswerIndex(answers, make_search(vectors, "exact"), fingerprints).save(target)
    return json.loads((target / RECORD).read_text(encoding="utf-8")), report
