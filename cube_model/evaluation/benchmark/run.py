"""The benchmark of one encoder on a dataset.

>>> from cube_model.evaluation.benchmark.config import BenchmarkConfig
>>> from cube_model.evaluation.benchmark.run import run_benchmark
>>> output = run_benchmark(BenchmarkConfig("my-corpus", encoder="my-encoder", tasks=["responses", "cost"]))
>>> output["results"][0]["metric"]
'accuracy_1_of_100'
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cube_model.errors import ModelError
from cube_model.evaluation.benchmark.action_sets import read_action_set
from cube_model.evaluation.benchmark.config import BenchmarkConfig
from cube_model.evaluation.benchmark.inputs import Inputs
from cube_model.evaluation.benchmark.means import means
from cube_model.evaluation.benchmark.part import Entry, Part, Subject
from cube_model.evaluation.benchmark.plans import plans
from cube_model.evaluation.benchmark.seen import seen_sources
from cube_model.evaluation.cells import ResultCache, announce_part, cached
from cube_model.evaluation.intents.encoder import IntentEncoder
from cube_model.machine import versions
from cube_model.vectors.cache import EmbeddingCache

_LIBRARIES = ("scikit-learn", "scipy", "sentence-transformers")


def run_benchmark(
    config: BenchmarkConfig,
    results_folder: Path | None = None,
    *,
    cache: EmbeddingCache | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Judge an encoder, or a core on top of it.

    Args:
        config: Configuration.
        results_folder: Cache folder for finished parts, which are not computed again. Default: no caching.
        cache: Embedding cache. Default: the user's cache.
        progress: Show progress bars.

    Returns:
        JSON object as the command line writes it. `results` has one entry for each task, source, language, setting and
        metric, then the means over sources; `left_out` says which tasks the data do not allow, and why.

    Raises:
        ModelError: The dataset, a source, the encoder or the action set does not exist or cannot be read; the data do
            not allow a task of `config.tasks`, or any; or scikit-learn is not installed.
    """
    check_libraries()
    actions = None if config.action_set is None else read_action_set(config.action_set)
    inputs = Inputs(config)
    plan_of = plans(inputs, actions)
    cache = cache or EmbeddingCache(vectors=config.vectors)
    encoder = IntentEncoder(config.encoder, config.model, dtype=config.dtype, cache=cache, progress=progress)
    seen = seen_sources(config)
    subject = Subject(config, encoder, cache, seen, progress)
    parts = [part for plan in plan_of.values() for part in plan(subject)]
    result_cache = ResultCache(results_folder) if results_folder is not None else None
    results: list[Entry] = []
    for number, part in enumerate(parts, 1):
        if progress:
            announce_part(number, len(parts), part.name)
        results += _results(part, subject, result_cache)
    return {
        "results": [*results, *means(results)],
        "left_out": inputs.left_out,
        "seen_sources": None if seen is None else sorted(seen),
        "fingerprints": {"data": {part.name: part.facts["data"] for part in parts}, **encoder.fingerprints},
        "encoder": {**encoder.describe(), "method": encoder.method},
        "seed": config.seed,
        "versions": versions(_LIBRARIES),
    }


def _results(part: Part, subject: Subject, result_cache: ResultCache | None) -> list[Entry]:
    """Return the results of a part, from the cache or newly computed."""
    libraries = {name: versions(_LIBRARIES).get(name) for name in ("dialogue-cube", "scikit-learn")}
    facts = {"libraries": libraries, "part": part.name, **part.facts, **subject.encoder.fingerprints}
    entries = cached(result_cache, facts, part.compute)
    source = {"encoder": subject.encoder.name, "method": subject.encoder.method}
    return [{**entry, "seen": _seen(entry, subject), **source} for entry in entries]


def _seen(entry: Entry, subject: Subject) -> bool | None:
    return None if entry["source"] is None else subject.has_seen(entry["source"])


def check_libraries() -> None:
    """Check that scikit-learn and scipy are installed.

    Raises:
        ModelError: One of them is not.
    """
    try:
        import scipy  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        raise ModelError("the benchmark needs scikit-learn: pip install 'dialogue-cube[evaluation]'") from error
