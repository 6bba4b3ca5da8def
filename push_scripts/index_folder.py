"""Publish a saved answer index: it quotes a corpus, so it passes the licence gate too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from push_scripts.errors import PushError
from push_scripts.license_gate import GateReport, LicenseGate
from push_scripts.model_folder import ModelFolder


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
    mask = LicenseGate({}).passes(original.answers)
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
