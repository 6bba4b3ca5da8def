"""What an encoder costs: parameters, dimension, and utterances a second on one thread of the processor."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence

from cube_model.data.digest import digest_of
from cube_model.evaluation.benchmark.part import Entry, Part, Subject, figure, sample
from cube_model.evaluation.intents.encoder import IntentEncoder
from cube_model.evaluation.intents.scoring import interval_of_mean
from cube_model.machine import hardware

PROTOCOL = "cost v1: utterances as they come, one thread, without the cache"

_TEXTS, _WARM_UP, _REPEATS = 256, 16, 5


def cost_parts(subject: Subject, texts: Sequence[str]) -> Iterator[Part]:
    """Yield the one part of this task.

    Args:
        subject: What is judged.
        texts: Utterances that the speed is measured with; a sample is enough.
    """
    distinct = sorted(set(texts))
    texts = [distinct[row] for row in sample(len(distinct), _TEXTS, subject.config.seed)]
    facts = {"protocol": PROTOCOL, "data": digest_of(texts), "hardware": hardware("cpu")["processor"]}
    yield Part("cost", facts, lambda: list(_entries(subject, texts)))


def _entries(subject: Subject, texts: Sequence[str]) -> Iterator[Entry]:
    encoder = subject.encoder
    shared = {"task": "cost", "protocol": PROTOCOL, "source": None, "language": None, "seen": None}
    total = encoder.teacher.parameters + encoder.parameters
    yield {**shared, "setting": "size", **figure("parameters", total, None, "")}
    yield {**shared, "setting": "size", **figure("dimension", encoder.teacher.dimension, None, "")}
    speeds = utterances_per_second(encoder, texts)
    speed = figure("utterances_per_second", statistics.fmean(speeds), interval_of_mean(speeds), "repeats")
    characters = round(statistics.fmean(map(len, texts)), 1)
    facts = {"utterances": len(texts), "mean_characters": characters, "hardware": hardware("cpu")["processor"]}
    setting = "one thread" if encoder.device == "cpu" else encoder.device
    yield {**shared, "setting": setting, **speed, **facts}


def utterances_per_second(encoder: IntentEncoder, texts: Sequence[str], repeats: int = _REPEATS) -> list[float]:
    """Measure the speed of an encoder on its device, with one thread of the processor and without the cache.

    Args:
        encoder: Encoder.
        texts: Utterances; the first are encoded untimed before, as the first call is slower.
        repeats: Number of measurements.

    Returns:
        Utterances a second, for each measurement.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        encoder.compute(texts[:_WARM_UP])
        speeds = []
        for _ in range(repeats):
            started = time.perf_counter()
            encoder.compute(texts)
            speeds.append(len(texts) / (time.perf_counter() - started))
    finally:
        torch.set_num_threads(threads)
    return speeds
