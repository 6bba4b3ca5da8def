"""Response selection on the test pairs of each source, from the question alone and with context as one text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cube_model.data.pairs import COLUMNS, QuestionAnswerPairs, pairs_of_table, read_pairs_table
from cube_model.data.selection import chosen_rows
from cube_model.evaluation.benchmark.inputs import Inputs, NoDataError
from cube_model.evaluation.benchmark.part import Entry, Part, Subject
from cube_model.evaluation.methods import JoinedTurns, Scorer, core, identity
from cube_model.evaluation.response_selection import PROTOCOL, evaluate, to_json
from cube_model.metrics.metrics import BATCH


def load_response_pairs(inputs: Inputs) -> dict[tuple[str, str], QuestionAnswerPairs]:
    """Read the test pairs of each source and language, without those that have fewer than 100.

    Args:
        inputs: The dataset.

    Raises:
        ModelError: The dataset has no such pairs or cannot be read.
    """
    config, sources = inputs.config, inputs.sources("pairs")
    table, rows = read_pairs_table(inputs.data, "test", COLUMNS, sources)
    table = table.take(rows)
    keys = [(s, t or "und") for s, t in zip(table["source"].to_pylist(), table["language"].to_pylist(), strict=True)]
    limit = None if config.max_rows is None else max(config.max_rows, BATCH)
    by_key: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(keys):
        if inputs.wants_language(key[1]):
            by_key.setdefault(key, []).append(row)
    pairs, few = {}, dict[str, list[str]]()
    for key, members in by_key.items():
        if len(members) < BATCH:
            few.setdefault(key[0], []).append(f"{len(members)} in {key[1]}")
        else:
            part = table.take(chosen_rows(np.array(members), limit, config.seed)).combine_chunks()
            pairs[key] = pairs_of_table(part, config.context_turns)
    for source, counts in few.items():
        inputs.leave_out("responses", f"{source}: fewer than {BATCH} pairs: {', '.join(counts)}")
    if not pairs:
        raise NoDataError(f"{inputs.data}: no source has {BATCH} question -> answer pairs in split test; add dialogues")
    return pairs


def response_parts(subject: Subject, pairs: dict[tuple[str, str], QuestionAnswerPairs]) -> Iterator[Part]:
    """Yield a part for each source and language.

    Args:
        subject: What is judged.
        pairs: See `load_response_pairs`.
    """
    config = subject.config
    sampled = "" if config.max_rows is None else f"; at most {max(config.max_rows, BATCH):,} pairs"
    for (source, language), part in pairs.items():
        shared = {"protocol": PROTOCOL + sampled, "source": source, "language": language}
        yield Part(
            f"responses: {source} ({language})",
            {
                "protocol": shared["protocol"],
                "data": part.fingerprint,
                "seed": config.seed,
                "context": config.context_turns,
            },
            lambda part=part, shared=shared: _entries(subject, part, shared),  # type: ignore[misc]
        )


def _entries(subject: Subject, pairs: QuestionAnswerPairs, shared: Entry) -> list[Entry]:
    settings = _methods(subject)
    vectors = pairs.embed(subject.encoder.teacher, subject.cache, progress=subject.progress)
    report = evaluate(list(settings), pairs, vectors, seed=subject.config.seed, negatives=("random",))
    entries = []
    for method, setting in settings.items():
        own = replace(report, results=[result for result in report.results if result.method is method])
        for entry in to_json(own, split="test", seed=subject.config.seed, **shared):
            entries.append({**entry, "task": "responses", "setting": setting, "ci95_of": "dialogues"})
    return entries


def _methods(subject: Subject) -> dict[Scorer, str]:
    """Return the methods and what they read."""
    trained, turns = subject.encoder.core, subject.config.context_turns
    if trained is None:
        joined = JoinedTurns(subject.encoder.teacher, subject.cache, 1 + turns, subject.progress)
        return {identity(): "question", joined: "with context"}
    turns = min(turns, trained.config.context_turns)
    methods: dict[Scorer, str] = {core(trained, turns=1): "question"}
    if turns:
        methods[core(trained, turns=1 + turns)] = "with context"
    return methods
