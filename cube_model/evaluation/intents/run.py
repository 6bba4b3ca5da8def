"""Intents from names to figures: all sets, protocols and languages of a dataset with one encoder.

>>> from cube_model.evaluation.intents.run import IntentsConfig, run_intents
>>> output = run_intents(IntentsConfig("my-corpus", sources=["banking77"], protocols=["mteb"]))
>>> output["results"][0]["metric"], round(output["results"][0]["value"], 3)
('accuracy', 0.8)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.errors import ModelError
from cube_model.evaluation.cells import Cells, Facts
from cube_model.evaluation.intents.encoder import IntentEncoder
from cube_model.evaluation.intents.scoring import PROTOCOLS, Entry, applies, interval_of_mean, score
from cube_model.evaluation.intents.task import LABELS, IntentTask, load_intents
from cube_model.machine import versions

if TYPE_CHECKING:
    from cube_model.vectors.cache import EmbeddingCache

VERSION = "intents v1"
"""Written into every result. Raised whenever a change of a protocol or metric changes a figure."""

MEAN = "mean"
"""`language` of the mean over the languages of a source."""


@dataclass(frozen=True)
class IntentsConfig:
    """What is judged.

    Args:
        data: Folder made by `dialogue-cube build`, or Hub dataset repository.
        encoder: Short name, folder, Hub repository or SentenceTransformer; with `model`: where to find the core's
            teacher.
        model: Folder or Hub repository of a trained core, whose question side is judged.
        sources: Intent sets; all when not given.
        languages: BCP 47 tags; all when not given.
        protocols: Of `PROTOCOLS`; all when not given.
        predicts: Of `LABELS`: intents, their scenarios, or both.
        seeds: See `scoring.score`.
        dtype: Of the encoder.
    """

    data: str
    encoder: Any = None
    model: str | None = None
    sources: Sequence[str] | None = None
    languages: Sequence[str] | None = None
    protocols: Sequence[str] | None = None
    predicts: Sequence[str] = field(default=LABELS)
    seeds: int | None = None
    dtype: str = "float32"


def run_intents(
    config: IntentsConfig,
    cells: Path | None = None,
    *,
    cache: EmbeddingCache | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Judge an encoder, or a core on top of it.

    Args:
        config: What is judged.
        cells: Folder for finished parts; those found there are not computed again.
        cache: Embedding cache; the default one when not given.
        progress: Show progress bars.

    Returns:
        The JSON object that the command line writes; one entry of `results` a source, language, kind of label,
        protocol, metric, and treatment of the contaminated test rows.

    Raises:
        ModelError: No such dataset, source, language, protocol or encoder; no training or test rows; no scikit-learn.
    """
    _check(config)
    tasks = load_intents(config.data, config.sources, config.languages, config.predicts)
    plan = [(task, protocol) for task in tasks for protocol in config.protocols or PROTOCOLS if applies(protocol, task)]
    if not plan:
        raise ModelError(f"{config.data}: no out-of-scope test rows in any of the sets; CLINC150 has some")
    encoder = IntentEncoder(config.encoder, config.model, dtype=config.dtype, cache=cache, progress=progress)
    kept = Cells(cells) if cells is not None else None
    results: list[Entry] = []
    for done, (task, protocol) in enumerate(plan, 1):
        if progress:
            _say(f"{done}/{len(plan)} {task.name}: {protocol}")
        results += _cell(task, protocol, encoder, config.seeds, kept)
    results += _means(results)
    return {
        "results": results,
        "sources": list(dict.fromkeys(task.source for task in tasks)),
        "fingerprints": {"data": {task.name: task.fingerprint for task in tasks}, **encoder.fingerprints},
        "encoder": encoder.describe(),
        "versions": _versions(),
    }


def _cell(
    task: IntentTask, protocol: str, encoder: IntentEncoder, seeds: int | None, cells: Cells | None
) -> list[Entry]:
    """The entries of one task and protocol, computed or found."""
    facts: Facts = {
        "version": VERSION,
        "libraries": {name: _versions().get(name) for name in ("dialogue-cube", "scikit-learn")},
        "task": task.fingerprint,
        "protocol": protocol,
        "seeds": seeds,
        **encoder.fingerprints,
    }
    found = cells.get(facts) if cells else None
    if found is None:
        found = [
            {
                "task": "intents",
                "protocol_version": VERSION,
                "source": task.source,
                "language": task.language,
                "predicts": task.predicts,
                "protocol": protocol,
                "method": encoder.method,
                "encoder": encoder.name,
                **entry,
                "classes": len(task.classes),
                "parameters": encoder.parameters,
            }
            for entry in score(protocol, task, encoder.encode, seeds)
        ]
        if cells:
            cells.put(facts, found)
    return list(found)


_WITHIN = ("source", "predicts", "protocol", "metric", "contaminated", "seed", "detector")


def _means(results: Sequence[Entry]) -> Iterator[Entry]:
    """Of every figure that a source has in several languages: the mean over them, each language counting the same."""
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in results:
        key = tuple(entry["settings"].get("detector") if name == "detector" else entry[name] for name in _WITHIN)
        groups.setdefault(key, []).append(entry)
    for entries in groups.values():
        if len(entries) < 2:
            continue
        values = [entry["value"] for entry in entries]
        interval = interval_of_mean(values)
        yield {
            **{name: value for name, value in entries[0].items() if name != "standard_deviation"},
            "language": MEAN,
            "languages": [entry["language"] for entry in entries],
            "value": float(np.mean(values)),
            "ci95": None if interval is None else list(interval),
            "ci95_of": "languages",
            "test_rows": sum(entry["test_rows"] for entry in entries),
            "train_size": sum(entry["train_size"] for entry in entries),
        }


def _check(config: IntentsConfig) -> None:
    unknown = sorted(set(config.protocols or ()) - set(PROTOCOLS))
    if unknown:
        raise ModelError(f"no protocol {', '.join(unknown)}; there are {', '.join(PROTOCOLS)}")
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise ModelError("intents are judged with scikit-learn: pip install scikit-learn") from error


def _versions() -> dict[str, str]:
    import sklearn

    return {**versions(), "scikit-learn": sklearn.__version__}


def _say(text: str) -> None:
    from rich.console import Console

    Console(stderr=True).print(text, style="dim", markup=False, highlight=False)
