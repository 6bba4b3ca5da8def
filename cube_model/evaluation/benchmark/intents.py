"""All protocols of `dialogue-cube evaluate intents` on each intent set and language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cube_model.errors import ModelError
from cube_model.evaluation.benchmark.inputs import Inputs, NoDataError
from cube_model.evaluation.benchmark.part import Entry, Part, Subject, sample
from cube_model.evaluation.intents.config import PROTOCOLS
from cube_model.evaluation.intents.run import VERSION
from cube_model.evaluation.intents.scoring import applies, score
from cube_model.evaluation.intents.task import IntentTask, load_intents

_LEARNS_FROM_ALL = ("knn", "prototype", "linear", "oos")


def load_intent_tasks(inputs: Inputs) -> list[IntentTask]:
    """Read the tasks of a dataset: one for each intent set, language and kind of label.

    Args:
        inputs: The dataset.

    Raises:
        ModelError: The dataset has no intent set with training and test rows, or cannot be read.
    """
    sources = inputs.sources("downstream")
    try:
        loaded = load_intents(inputs.data, sources, inputs.config.languages)
    except ModelError as error:
        raise NoDataError(str(error)) from error
    for rows in loaded.left_out:
        count = sum(rows.rows.values())
        inputs.leave_out("intents", f"{rows.source} ({rows.language}): {count:,} rows: {rows.reason}")
    return loaded.tasks


def intent_parts(subject: Subject, tasks: Sequence[IntentTask]) -> Iterator[Part]:
    """Yield a part for each task and protocol.

    Args:
        subject: What is judged.
        tasks: See `load_intent_tasks`.
    """
    limit, seed = subject.config.max_rows, subject.config.seed
    for task in tasks:
        for protocol in PROTOCOLS:
            if applies(protocol, task):
                yield Part(
                    f"intents: {task.name}: {protocol}",
                    {"protocol": VERSION, "data": task.fingerprint, "max_rows": limit, "seed": limit and seed},
                    lambda task=task, protocol=protocol: _entries(subject, task, protocol),  # type: ignore[misc]
                )


def _entries(subject: Subject, task: IntentTask, protocol: str) -> list[Entry]:
    limit = subject.config.max_rows
    sampled = "" if limit is None else f"; at most {limit:,} test rows"
    if limit is not None and protocol in _LEARNS_FROM_ALL:
        sampled += " and as many training rows"
    shared = {
        "task": "intents",
        "protocol": VERSION + sampled,
        "source": task.source,
        "language": task.language,
        "predicts": task.predicts,
        "classes": len(task.classes),
    }
    limited = _limited(task, limit, subject.config.seed, train=protocol in _LEARNS_FROM_ALL)
    entries = []
    for entry in score(protocol, limited, subject.encoder.encode, None):
        detector = entry["settings"].get("detector")
        setting = f"{protocol}, {detector}" if detector else protocol
        entries.append({**shared, "setting": setting, **entry})
    return entries


def _limited(task: IntentTask, limit: int | None, seed: int, *, train: bool) -> IntentTask:
    """Return the task with at most `limit` test rows and, if `train`, training rows."""
    test, outside = (part.select(sample(len(part), limit, seed)) for part in (task.test, task.outside))
    learnt = task.train.select(sample(len(task.train), limit, seed)) if train else task.train
    return replace(task, train=learnt, test=test, outside=outside)
