"""Comparison of all methods on the same frozen embeddings: accuracy, parameters, training time and query time.

The settings of a method are selected on validation pairs, with the first seed, from fits on at most `tuning_pairs`
training pairs. The method is then trained with each seed on the full training size. All methods are evaluated on the
same test pairs and batches.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.pairs import load_pairs
from cube_model.errors import ModelError
from cube_model.evaluation.baselines import Baseline, EmbeddedPairs, Fitted, Tuning, baselines
from cube_model.evaluation.baselines.contrastive import Contrastive
from cube_model.evaluation.baselines.core import Core
from cube_model.evaluation.cells import Facts, ResultCache
from cube_model.evaluation.few_pairs import check_split, few_pairs
from cube_model.evaluation.leaderboard.config import LeaderboardConfig
from cube_model.evaluation.leaderboard.differences import METRIC, SAMPLES, differences, without_samples
from cube_model.evaluation.methods import Scorer
from cube_model.evaluation.response_selection import PROTOCOL, evaluate, to_json
from cube_model.machine import versions
from cube_model.teacher.teacher import Teacher
from cube_model.training import schedule
from cube_model.training.config import TrainingConfig
from cube_model.training.data import load_training_pairs
from cube_model.vectors.cache import EmbeddingCache

if TYPE_CHECKING:
    from cube_model.data.pairs import QuestionAnswerPairs

logger = logging.getLogger(__name__)

VERSION = 4
"""Raise it when a change to a baseline or to this file changes a figure: older cached results are then ignored."""

_SELECTION_SEED = 0
"""Seed of test batches, bootstrap and validation pairs: the same for all fits, which makes them comparable."""

QUERIES, REPEATS = 256, 7


@dataclass(frozen=True)
class Fit:
    """One fit of one method.

    Args:
        baseline: Method to fit.
        train_size: Number of training pairs; None for all.
        seed: Seed of the training pairs and of the fit.
    """

    baseline: Baseline
    train_size: int | None
    seed: int


class Leaderboard:
    """Comparison of baselines and the core.

    Args:
        config: Configuration.
        results_folder: Cache folder for finished parts, which are not computed again.
        cache: Embedding cache. Default: the user's cache.
        progress: Show progress bars.

    Raises:
        ModelError: A method or source is unknown, there are no pairs, or the teacher is unavailable.
    """

    def __init__(
        self,
        config: LeaderboardConfig,
        results_folder: str | os.PathLike[str],
        *,
        cache: EmbeddingCache | None = None,
        progress: bool = False,
    ) -> None:
        self.config, self.progress = config, progress
        self.results = ResultCache(Path(results_folder))
        cache = cache or EmbeddingCache(vectors=config.vectors)
        train, validation, test = _pairs(config)
        for name, pairs in (("validation", validation), ("test", test)):
            if remark := few_pairs(len(pairs), len(np.unique(pairs.labels))):
                logger.warning("%s: %s", name, remark)
        self.teacher = Teacher.load(config.teacher, config.teacher_dtype)
        # embed test and validation first, so that a wrong folder or a full disk is noticed before the long part
        self.test, self.validation, self.train = (
            EmbeddedPairs(pairs, pairs.embed(self.teacher, cache, progress=progress))
            for pairs in (test, validation, train)
        )
        turns = 1 + config.context_turns
        core = TrainingConfig(context_turns=config.context_turns)
        self.budget = config.budget or Core(core).parameters(self.teacher.dimension, turns)
        methods = baselines(turns=turns, budget=self.budget, core=core)
        self.baselines = [methods[name] for name in dict.fromkeys(config.methods or methods)]
        self.sizes = list(dict.fromkeys(n if n != "all" and n < len(train) else None for n in config.train_sizes))

    def run(self) -> dict[str, Any]:
        """Compute all results that are not in the cache.

        Returns:
            JSON object. `results` has one entry for each method, training size, seed, source and metric; `differences`
            has one for each method, training size and source, see `differences`.
        """
        from dataset_builders.common.progress import leaderboard_bar

        plan = list(self.plan())
        steps = sum(1 + (len(fit.baseline.grid) if fit.seed == 0 else 0) for fit in plan)
        results: list[dict[str, Any]] = []
        with leaderboard_bar(steps, self.progress) as advance:
            for fit in plan:
                advance(0, fit)
                results += self._entries(fit, lambda fit=fit: advance(1, fit))
                advance(1, fit)
        return {
            "results": [without_samples(entry) for entry in results],
            "differences": differences(results),
            "fingerprints": {
                "teacher": self.teacher.fingerprint,
                **{name: getattr(self, name).pairs.fingerprint for name in ("train", "validation", "test")},
            },
            "encoder": self.teacher.describe(),
            "train_pairs": len(self.train),
            "budget": self.budget,
            "threads": _threads(),
            "versions": versions(),
        }

    def plan(self) -> Iterator[Fit]:
        """Yield all fits, without those that would only repeat the result of another."""
        for baseline in self.baselines:
            for size in self.sizes if baseline.learns else [None]:
                varies = baseline.learns and (baseline.seeded or size is not None)
                for seed in range(self.config.seeds if varies else 1):
                    yield Fit(baseline, size, seed)

    def training_pairs(self, size: int | None, seed: int) -> EmbeddedPairs:
        """Sample `size` training pairs with a seed; return all pairs if `size` is None."""
        if size is None:
            return self.train
        rows = np.sort(np.random.default_rng(seed).choice(len(self.train), size=size, replace=False))
        return EmbeddedPairs(self.train.pairs.select(rows), self.train.vectors)

    def _entries(self, fit: Fit, advance: Any) -> list[dict[str, Any]]:
        """Return the entries of one fit, from the cache or newly computed."""
        facts = self._facts(fit)
        entries = self.results.get(facts)
        if entries is None:
            train = self.training_pairs(fit.train_size, fit.seed)
            tuning = self._tune(fit, advance)
            if fit.seed == 0 and isinstance(tuning, Tuning) and self._tuning_size(fit) == fit.train_size:
                fitted = tuning.best
            else:
                best = tuning.best.settings if isinstance(tuning, Tuning) else tuning["settings"]
                settings = best if fit.baseline.grid != ({},) else None
                fitted = fit.baseline.fit(train, self.validation, seed=fit.seed, settings=settings)
            search = self.results.get(self._search_facts(fit))
            entries = [entry for each in fit.baseline.variants(fitted) for entry in self._evaluate(fit, each, search)]
            self.results.put(facts, entries)
        elif fit.seed == 0:
            for _ in fit.baseline.grid:
                advance()
        return entries

    def _tune(self, fit: Fit, advance: Any) -> Tuning | dict[str, Any]:
        """Search over the settings of a method.

        Returns:
            The tuning with its best fit; or its cached record, if that fit is not needed.
        """
        facts = self._search_facts(fit)
        record = self.results.get(facts)
        if record is not None and (fit.seed != 0 or self._tuning_size(fit) != fit.train_size):
            for _ in fit.baseline.grid if fit.seed == 0 else ():
                advance()
            return dict(record)
        train = self.training_pairs(self._tuning_size(fit), 0)
        tuning = fit.baseline.tune(
            train,
            self.validation,
            seed=0,
            trials=self.results.below(facts),
            advance=advance if fit.seed == 0 else None,
        )
        search = {"settings": tuning.best.settings, "seconds": tuning.seconds, "trials": len(tuning.tried)}
        self.results.put(facts, search)
        return tuning

    def _tuning_size(self, fit: Fit) -> int | None:
        """Number of training pairs in a search over settings; a method without a grid reads all pairs."""
        size, most = fit.train_size, self.config.tuning_pairs
        return most if fit.baseline.grid != ({},) and (size or len(self.train)) > most else size

    def _evaluate(self, fit: Fit, fitted: Fitted, search: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the entries of a fitted method for every tested source."""
        config, method = self.config, fitted.method
        shared = {
            "split": "test",
            "seed": fit.seed,
            "draws": config.draws,
            "context_turns": config.context_turns,
            "encoder": self.teacher.name,
            "zero_shot": config.leave_out is not None,
            "train_sources": sorted(set(self.train.pairs.sources)),
            "settings": fitted.settings,
            "validation_accuracy": fitted.accuracy,
            "training_seconds": round(fitted.seconds, 3),
            "tuning_trials": search["trials"],
            "tuning_seconds": round(search["seconds"], 3),
            "microseconds_per_query": microseconds_per_query(method, self.test),
        }
        for source, pairs in self._tests():
            report = evaluate(
                [method], pairs, self.test.vectors, seed=_SELECTION_SEED, draws=config.draws, negatives=("random",)
            )
            language = "+".join(sorted({tag or "und" for tag in pairs.languages}))
            samples = report.results[0].samples[METRIC]
            for entry in to_json(report, source=source, language=language, **shared):
                yield entry if entry["metric"] != METRIC else entry | {SAMPLES: samples.round(6).tolist()}

    def _tests(self) -> Iterator[tuple[str, QuestionAnswerPairs]]:
        """Yield all tested sources together, if there are several, and each source by itself."""
        pairs = self.test.pairs
        names = sorted(set(pairs.sources))
        if len(names) > 1:
            yield "all", pairs
        for name in names:
            yield name, pairs.select(np.flatnonzero([source == name for source in pairs.sources]))

    def _facts(self, fit: Fit) -> Facts:
        """Everything that the result of a fit depends on."""
        own = {"train_size": fit.train_size, "seed": fit.seed, "test": self.test.pairs.fingerprint}
        return {**self._search_facts(fit), **own, **self._schedule(fit, fit.train_size)}

    def _search_facts(self, fit: Fit) -> Facts:
        """Everything that a search over settings depends on; training sizes with the same tuning pairs share it."""
        facts: Facts = {
            "version": [VERSION, PROTOCOL, versions().get("dialogue-cube")],
            "method": fit.baseline.name,
            "grid": list(fit.baseline.grid),
            "tuning_size": self._tuning_size(fit),
            "train": self.train.pairs.fingerprint,
            "validation": self.validation.pairs.fingerprint,
            "teacher": self.teacher.fingerprint,
            "turns": 1 + self.config.context_turns,
            "draws": self.config.draws,
            "budget": getattr(fit.baseline, "budget", None),
        }
        if isinstance(fit.baseline, Core):
            facts["core"] = fit.baseline.config.result_options()
        return {**facts, **self._schedule(fit, self._tuning_size(fit))}

    def _schedule(self, fit: Fit, size: int | None) -> Facts:
        """Schedule of the shared training loop for `size` pairs; empty for methods with a loop of their own."""
        if not isinstance(fit.baseline, Contrastive | Core):
            return {}
        config, pairs = TrainingConfig(), size or len(self.train)
        batch = schedule.batch_size(config, pairs)
        epochs = schedule.epochs(config, max(1, pairs // batch))
        return {
            "training": {
                "batch_size": batch,
                "epochs": epochs,
                "patience": schedule.patience(config, epochs),
                "weight_decay": config.weight_decay,
                "temperature": config.temperature,
                "scheduler": config.scheduler,
            }
        }


def _pairs(config: LeaderboardConfig) -> tuple[QuestionAnswerPairs, QuestionAnswerPairs, QuestionAnswerPairs]:
    """Load training, validation and test pairs."""
    check_split(config.data, "test")
    train_sources: Sequence[str] | None = config.sources
    test_sources: Sequence[str] | None = config.sources
    if config.leave_out is not None:
        sources = config.sources or sorted(set(load_pairs(config.data, "train").sources))
        train_sources, test_sources = [name for name in sources if name != config.leave_out], [config.leave_out]
        if not train_sources:
            raise ModelError(
                f"--leave-out {config.leave_out}: no other source to train on; name a second one in --sources, or "
                "build a dataset with several"
            )
    training = TrainingConfig(
        data=config.data,
        sources=None if train_sources is None else list(train_sources),
        context_turns=config.context_turns,
        max_validation_pairs=config.max_validation_pairs,
        seed=_SELECTION_SEED,
    )
    train, validation = load_training_pairs(training)
    test = load_pairs(
        config.data,
        "test",
        sources=test_sources,
        max_pairs=config.max_test_pairs,
        context_turns=config.context_turns,
        seed=_SELECTION_SEED,
    )
    return train, validation, test


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def microseconds_per_query(method: Scorer, test: EmbeddedPairs) -> float:
    """Measure the time to map one question in a batch of 256: the fastest of seven runs, in microseconds.

    Encoding by the teacher and the search among the mapped answers take the same time for all methods and are not
    included. For lexical methods the time includes tokenising the question.
    """
    rows = np.arange(min(QUERIES, len(test)))
    query = method.query(test.pairs.select(rows), test.vectors)
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        query()
        seconds.append(time.perf_counter() - started)
    return round(min(seconds) / len(rows) * 1e6, 3)
