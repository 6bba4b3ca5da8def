"""Evaluation of one encoder on all intent sets, languages and protocols of a dataset.

>>> from cube_model.evaluation.intents.config import IntentsConfig
>>> from cube_model.evaluation.intents.run import run_intents
>>> output = run_intents(IntentsConfig("my-corpus", sources=["banking77"], protocols=["mteb"]))
>>> output["results"][0]["metric"], round(output["results"][0]["value"], 3)
('accuracy', 0.8)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cube_model.errors import ModelError
from cube_model.evaluation.cells import Facts, ResultCache, announce_part, cached
from cube_model.evaluation.intents.config import PROTOCOLS, IntentsConfig
from cube_model.evaluation.intents.encoder import IntentEncoder
from cube_model.evaluation.intents.scoring import Entry, applies, interval_of_mean, score
from cube_model.evaluation.intents.task import IntentTask, load_intents
from cube_model.machine import versions
from cube_model.vectors.cache import EmbeddingCache

VERSION = "intents v1"
"""Part of every result. Raise it when a change to a protocol or metric changes a figure."""

MEAN = "mean"
"""Value of `language` for the mean over all languages of a source."""


def run_intents(
    config: IntentsConfig,
    results_folder: Path | None = None,
    *,
    cache: EmbeddingCache | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Evaluate an encoder, or a core on top of it.

    Args:
        config: Configuration.
        results_folder: Cache folder for finished parts, which are not computed again. Default: no caching.
        cache: Embedding cache. Default: the user's cache.
        progress: Show progress bars.

    Returns:
        JSON object as the command line writes it. `results` has one entry for each source, language, kind of label,
        protocol and metric, with and without the contaminated test rows; `left_out` has the numbers of rows that are
        in no task, and why.

    Raises:
        ModelError: The dataset, a source, a language, a protocol or the encoder does not exist; a set lacks training
            or test rows; or scikit-learn is not installed.
    """
    _check(config)
    loaded = load_intents(config.data, config.sources, config.languages, config.labels)
    tasks = loaded.tasks
    plan = [(task, protocol) for task in tasks for protocol in config.protocols or PROTOCOLS if applies(protocol, task)]
    if not plan:
        raise ModelError(
            f"{config.data}: no intent set has out-of-scope test rows; add one that does, such as clinc150"
        )
    cache = cache or EmbeddingCache(vectors=config.vectors)
    encoder = IntentEncoder(config.encoder, config.model, dtype=config.dtype, cache=cache, progress=progress)
    result_cache = ResultCache(results_folder) if results_folder is not None else None
    results: list[Entry] = []
    for number, (task, protocol) in enumerate(plan, 1):
        if progress:
            announce_part(number, len(plan), f"{task.name}: {protocol}")
        results += _entries(task, protocol, encoder, config.seeds, result_cache)
    results += _means(results)
    return {
        "results": results,
        "left_out": [asdict(rows) for rows in loaded.left_out],
        "sources": list(dict.fromkeys(task.source for task in tasks)),
        "fingerprints": {"data": {task.name: task.fingerprint for task in tasks}, **encoder.fingerprints},
        "encoder": encoder.describe(),
        "versions": _versions(),
    }


def _entries(
    task: IntentTask, protocol: str, encoder: IntentEncoder, seeds: int | None, result_cache: ResultCache | None
) -> list[Entry]:
    """Return the entries of one task and protocol, from the cache or newly computed."""
    facts: Facts = {
        "version": VERSION,
        "libraries": {name: _versions().get(name) for name in ("dialogue-cube", "scikit-learn")},
        "task": task.fingerprint,
        "protocol": protocol,
        "seeds": seeds,
        **encoder.fingerprints,
    }
    return cached(
        result_cache,
        facts,
        lambda: [
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
        ],
    )


_GROUP = ("source", "predicts", "protocol", "metric", "contaminated", "seed", "detector")


def _means(results: Sequence[Entry]) -> Iterator[Entry]:
    """Yield the mean over languages, equally weighted, of each figure that a source has in several languages."""
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in results:
        key = tuple(entry["settings"].get("detector") if name == "detector" else entry[name] for name in _GROUP)
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
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise ModelError("evaluating intents needs scikit-learn: pip install 'dialogue-cube[evaluation]'") from error


def _versions() -> dict[str, str]:
    import sklearn

    return {**versions(), "scikit-learn": sklearn.__version__}
