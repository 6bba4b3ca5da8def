"""Response selection from names to figures: loads core, teacher and pairs, judges, and collects the fingerprints."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cube_model.embedding_cache import EmbeddingCache
from cube_model.evaluation.response_selection import Report, core, evaluate, identity, to_json
from cube_model.question_answer_data import load_pairs
from cube_model.retriever import load_core, teacher_of
from cube_model.teacher import Teacher
from cube_model.versions import versions

if TYPE_CHECKING:
    from cube_model.modeling_cube import CubeModel


def run_response_selection(
    data: str | os.PathLike[str],
    model: str | os.PathLike[str] | None = None,
    *,
    encoder: str | None = None,
    sources: Sequence[str] | None = None,
    split: str = "test",
    context_turns: int | None = None,
    max_pairs: int | None = None,
    seed: int = 0,
    draws: int = 3,
    cache: EmbeddingCache | None = None,
    progress: bool = False,
) -> tuple[Report, dict[str, Any]]:
    """Judge the identity and, when given, a trained core.

    Args:
        data: Folder made by `dialogue-cube build`, or Hub dataset repository.
        model: Folder or Hub repository of a trained core.
        encoder: Where to find the core's teacher; without a core the teacher to judge (minilm when not given).
        sources: Corpora; all when not given.
        split: Split to judge on.
        context_turns: Earlier turns shown to the core; as many as it reads when not given.
        max_pairs: At most so many pairs, a seeded choice.
        seed: Of choice, batches and bootstrap.
        draws: Shuffles that are averaged.
        cache: Embedding cache; the default one when not given.
        progress: Show a progress bar while texts are encoded.

    Returns:
        The report, and the JSON object that the command line writes.
    """
    trained = load_core(model) if model is not None else None
    teacher = teacher_of(trained, encoder) if trained is not None else Teacher.load(encoder or "minilm", "auto")
    turns = trained.config.context_turns if trained is not None else 0
    if context_turns is not None:
        turns = min(turns, context_turns)
    pairs = load_pairs(data, split, sources=sources, max_pairs=max_pairs, context_turns=turns, seed=seed)
    vectors = pairs.embed(teacher, cache or EmbeddingCache(), progress=progress)
    methods = [identity()]
    record: dict[str, Any] = {}
    if trained is not None and model is not None:
        record = trained.config.training or {}
        methods.append(core(trained, train_size=record.get("pairs"), turns=1 + turns))
    report = evaluate(methods, pairs, vectors, seed=seed, draws=draws)
    names, languages = sorted(set(pairs.sources)), sorted({language or "und" for language in pairs.languages})
    output = to_json(report, source="+".join(names), language="+".join(languages), split=split, seed=seed, draws=draws)
    output["sources"] = names
    output["fingerprints"] = {
        "data": pairs.fingerprint,
        "teacher": teacher.fingerprint,
        "training_data": record.get("data_fingerprint"),
        "model": weights_fingerprint(trained) if trained is not None else None,
    }
    output["versions"] = versions()
    return report, output


def weights_fingerprint(model: CubeModel) -> str:
    """sha256 over names and values of the weights: equal for equal cores, wherever they lie."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()
