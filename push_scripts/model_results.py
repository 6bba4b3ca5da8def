"""Read the figures of an evaluation, and check that they are those of the model that is pushed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cube_model.card.results import METRICS, Results
from push_scripts.errors import PushError
from push_scripts.model_folder import ModelFolder


def read_results(paths: Sequence[Path], folder: ModelFolder) -> Results:
    """Read the entries that a card shows from JSON files that `evaluate` or `leaderboard` wrote.

    Each entry gets a key `own`: true for a figure of the model itself, false for one of a baseline.

    Args:
        paths: JSON files.
        folder: The model that is pushed.

    Raises:
        PushError: A file has another format, or figures of another model.
    """
    return [entry for path in paths for entry in _read(path, folder)]


def _read(path: Path, folder: ModelFolder) -> Results:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = list(content["results"])
        for entry in entries:
            float(entry["value"]), str(entry["metric"])
    except FileNotFoundError as error:
        raise PushError(
            f"--results {path}: no such file; `dialogue-cube evaluate ... --json FILE` writes one"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PushError(
            f"--results {path}: expected JSON with `results`, each with `metric` and `value` ({error!r}); "
            "`dialogue-cube evaluate ... --json FILE` writes it"
        ) from error
    _check_same_model(path, content, folder)
    own = folder.parameters if folder.kind != "embedder" else 0
    results = [{**entry, "own": entry.get("parameters") == own} for entry in entries if _is_headline(entry)]
    if folder.kind == "embedder":  # the evaluation treats it as an encoder without a core
        results = [{**entry, "method": "this encoder"} if entry["own"] else entry for entry in results]
    return results


def _check_same_model(path: Path, content: Mapping[str, Any], folder: ModelFolder) -> None:
    """Refuse figures that name another model as the one evaluated."""
    if folder.kind == "embedder":
        from cube_model.teacher.fingerprint import weights_sha256

        expected = (content.get("encoder") or {}).get("weights_sha256")
        actual = weights_sha256(folder.path) if expected else ""
    else:
        from cube_model.inference.loading import core_fingerprint, load_core

        core = folder.path if folder.kind == "core" else next(folder.path.glob("[0-9]*_*/config.json")).parent
        expected = (content.get("fingerprints") or {}).get("model")
        actual = core_fingerprint(load_core(core)) if expected else ""
    if expected and expected != actual:
        raise PushError(
            f"--results {path}: figures of another model (fingerprint {expected[:12]}, this one {actual[:12]}); "
            "evaluate this one with `dialogue-cube evaluate ... --json FILE`"
        )


def _is_headline(entry: Mapping[str, Any]) -> bool:
    """Select figures of whole sources with random negatives; domains and harder negatives stay in the JSON."""
    is_plain = entry.get("domain") is None and entry.get("negatives", "random") == "random"
    return is_plain and entry["metric"] in METRICS and entry.get("source") != "all intents"
