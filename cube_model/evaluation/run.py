"""Response selection on a dataset: loads core, teacher and pairs, evaluates them and records the fingerprints."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.hub import MissingColumnsError, split_names
from cube_model.data.pairs import NoPairsError, load_pairs, read_pairs_table, string_hashes
from cube_model.evaluation.config import ResponseSelectionConfig
from cube_model.evaluation.few_pairs import check_split
from cube_model.evaluation.methods import JoinedTurns, Scorer, composed_turns, core, identity, identity_with_context
from cube_model.evaluation.response_selection import Report, evaluate, to_json
from cube_model.inference.loading import core_fingerprint, load_core, teacher_of
from cube_model.machine import versions
from cube_model.teacher.find import DEFAULT_TEACHER
from cube_model.teacher.teacher import Teacher
from cube_model.vectors.cache import EmbeddingCache

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel
    from cube_model.data.pairs import QuestionAnswerPairs

_SELECTION_PAIRS = 2_000
"""Maximum number of pairs that select the weight of context."""

ALL_SOURCES = "all"
"""Value of `source` for results over several sources together."""


def run_response_selection(
    config: ResponseSelectionConfig, *, cache: EmbeddingCache | None = None, progress: bool = False
) -> tuple[dict[str, Report], dict[str, Any]]:
    """Evaluate the identity (the encoder alone) and, optionally, a trained core.

    An encoder reads context in two ways: as the mean of the embeddings (`identity`) and as one text (`joined turns`).
    A core that reads context is compared with the encoder on the same turns, too, see `identity_with_context`.

    Args:
        config: Configuration.
        cache: Embedding cache. Default: the user's cache.
        progress: Show a progress bar while texts are encoded.

    Returns:
        A report for each source, preceded by `"all"` if there are several; and the JSON object that the command line
        writes.

    Raises:
        ModelError: The dataset, the core, the encoder or a source does not exist or cannot be read.
    """
    model, split, seed, draws = config.model, config.split, config.seed, config.draws
    trained = load_core(model) if model is not None else None
    if trained is not None:
        teacher = teacher_of(trained, config.encoder)
    else:
        teacher = Teacher.load(config.encoder or DEFAULT_TEACHER, config.dtype)
    check_split(config.data, split)
    cache = cache or EmbeddingCache(vectors=config.vectors)
    methods, record = _methods(trained, config.context_turns)
    if trained is None:
        joined = range(1, 1 + (config.context_turns or 0))
        methods += [JoinedTurns(teacher, cache, 1 + turns, progress) for turns in joined]
        methods += _composed(teacher, config.context_turns)
    turns = max(method.turns for method in methods) - 1
    pairs = load_pairs(
        config.data, split, sources=config.sources, max_pairs=config.max_pairs, context_turns=turns, seed=seed
    )
    vectors = pairs.embed(teacher, cache, progress=progress)
    if trained is not None and turns:
        methods = _with_equal_context(methods, config, teacher, cache, progress)
    domains = domains_of(config.data, split, pairs)

    reports: dict[str, Report] = {}
    results: list[dict[str, Any]] = []
    names = sorted(set(pairs.sources))
    for name in [ALL_SOURCES, *names] if len(names) > 1 else names:
        rows = np.flatnonzero([name in (ALL_SOURCES, source) for source in pairs.sources])
        part = pairs.select(rows) if len(rows) < len(pairs) else pairs
        part_domains = None if domains is None else [domains[i] for i in rows]
        reports[name] = evaluate(methods, part, vectors, seed=seed, draws=draws, domains=part_domains)
        languages = "+".join(sorted({language or "und" for language in part.languages}))
        results += to_json(reports[name], source=name, language=languages, split=split, seed=seed, draws=draws)
    return reports, {
        "results": results,
        "sources": names,
        "fingerprints": {
            "data": pairs.fingerprint,
            "teacher": teacher.fingerprint,
            "training_data": record.get("data_fingerprint"),
            "model": core_fingerprint(trained) if trained is not None else None,
        },
        "encoder": teacher.describe(),
        "versions": versions(),
    }


def _methods(trained: CubeModel | None, context_turns: int | None) -> tuple[list[Scorer], dict[str, Any]]:
    """Return the methods to evaluate, and the core's record of its training."""
    if trained is None:
        return [identity(1 + turns) for turns in range(1 + (context_turns or 0))], {}
    record = trained.config.training or {}
    most = trained.config.context_turns
    counts = [most] if context_turns is None else range(1 + min(most, context_turns))
    cores = [core(trained, train_size=record.get("pairs"), turns=1 + count) for count in counts]
    return [identity(), *cores], record


def _composed(teacher: Teacher, context_turns: int | None) -> list[Scorer]:
    """Return an encoder of turns with each number of turns, by default with as many as it reads."""
    if teacher.composed is None:
        return []
    most = teacher.composed.config.context_turns
    counts = [most] if context_turns is None else range(1 + min(most, context_turns))
    return [composed_turns(teacher.composed, 1 + count) for count in counts]


def _with_equal_context(
    methods: list[Scorer], config: ResponseSelectionConfig, teacher: Teacher, cache: EmbeddingCache, progress: bool
) -> list[Scorer]:
    """Put the encoder with as many turns before each core with context; other pairs select how it weighs them."""
    others = [name for name in ("validation", "train", "test") if name != config.split]
    split = next((name for name in others if name in split_names(config.data)), None)
    if split is None:
        return methods
    turns = max(method.turns for method in methods)
    try:
        pairs = load_pairs(
            config.data,
            split,
            sources=config.sources,
            max_pairs=_SELECTION_PAIRS,
            context_turns=turns - 1,
            seed=config.seed,
        )
    except NoPairsError:
        return methods
    vectors = pairs.embed(teacher, cache, progress=progress)
    more: list[Scorer] = []
    for method in methods:
        if method.turns > 1:
            more.append(identity_with_context(method.turns, pairs, vectors, config.seed))
        more.append(method)
    return more


def domains_of(data: str | os.PathLike[str], split: str, pairs: QuestionAnswerPairs) -> list[list[str]] | None:
    """Read the domains of each pair's dialogue.

    Args:
        data: Dataset that `pairs` come from: folder or Hub repository.
        split: Split that `pairs` come from.
        pairs: n pairs.

    Returns:
        n lists of domain names; None if the dataset has no `domains` column or no pair has a domain.

    Raises:
        ModelError: The dataset cannot be read.
    """
    columns = ("source", "dialogue_id", "domains", "anchor_speaker", "positive_speaker")
    try:
        table, rows = read_pairs_table(data, split, columns, sorted(set(pairs.sources)))
    except MissingColumnsError as error:
        if error.columns != ["domains"]:
            raise
        return None
    table = table.take(rows).combine_chunks()
    by_dialogue = dict(zip(string_hashes(table["dialogue_id"]).tolist(), table["domains"].to_pylist(), strict=True))
    domains = [by_dialogue.get(dialogue) or [] for dialogue in pairs.dialogues.tolist()]
    return domains if any(domains) else None
