"""Every map on the same frozen vectors in one run: accuracy beside parameters, training seconds and query time.

Settings of every method are chosen on validation pairs with the first seed, from fits on at most `tuning_pairs`
training pairs, then it is trained with each seed on all of them. All are judged on the same test pairs and batches.
"""

from __future__ import annotations

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
from cube_model.evaluation.cells import Cells, Facts
from cube_model.evaluation.leaderboard.differences import METRIC, SAMPLES, differences, without_samples
from cube_model.evaluation.methods import Scorer
from cube_model.evaluation.response_selection import PROTOCOL, evaluate, to_json
from cube_model.machine import versions
from cube_model.teacher.find import DEFAULT_TEACHER
from cube_model.teacher.teacher import Teacher
from cube_model.training import schedule
from cube_model.training.config import TrainingConfig
from cube_model.training.data import load_training_pairs
from cube_model.vectors.cache import EmbeddingCache

if TYPE_CHECKING:
    from cube_model.data.pairs import QuestionAnswerPairs

VERSION = 4
"""Raised whenever a change of a baseline or of this file changes a figure: finished cells of before are not reused."""

_SELECTION_SEED = 0
"""Of test batches, bootstrap and validation pairs: the same for all cells, so that they can be compared."""

QUERIES, REPEATS = 256, 7


@dataclass(frozen=True)
class LeaderboardConfig:
    """What is compared.

    Args:
        data: Folder made by `dialogue-cube build`, or Hub dataset repository.
        teacher: Short name, folder or Hub repository of the frozen encoder.
        sources: Corpora; all when not given. Several: trained on all, tested on each and all together.
        leave_out: Zero-shot transfer: trained and tuned on the other sources, tested on this one.
        context_turns: Earlier turns given to the methods.
        train_sizes: Training pairs, None: all. More than there are counts as all.
        seeds: Number of seeds.
        methods: Names; all when not given.
        budget: Parameters of maps whose size can be chosen; those of the core when not given.
        draws: Shuffles of the test pairs that are averaged.
        max_test_pairs: At most so many test pairs, a seeded choice.
        max_validation_pairs: At most so many pairs to choose settings and epochs by, a seeded choice.
        tuning_pairs: Training pairs, at most, of the fits that settings are chosen from, the same for every method; a
            search among all of a large corpus would take most of the time.
        teacher_dtype: See `Teacher.load`.
    """

    data: str
    teacher: str = DEFAULT_TEACHER
    sources: Sequence[str] | None = None
    leave_out: str | None = None
    context_turns: int = 0
    train_sizes: Sequence[int | None] = (1_000, 10_000, None)
    seeds: int = 3
    methods: Sequence[str] | None = None
    budget: int | None = None
    draws: int = 3
    max_test_pairs: int | None = None
    max_validation_pairs: int = 5_000
    tuning_pairs: int = 10_000
    teacher_dtype: str = "auto"


@dataclass(frozen=True)
class Cell:
    """One method, trained once."""

    baseline: Baseline
    train_size: int | None
    seed: int


class Leaderboard:
    """One comparison.

    Args:
        config: What is compared.
        cells: Folder for finished parts; those found there are not computed again.
        cache: Embedding cache; the default one when not given.
        progress: Show progress bars.

    Raises:
        ModelError: Unknown method or source, no pairs, no teacher.
    """

    def __init__(
        self,
        config: LeaderboardConfig,
        cells: str | os.PathLike[str],
        *,
        cache: EmbeddingCache | None = None,
        progress: bool = False,
    ) -> None:
        self.config, self.cells, self.progress = config, Cells(Path(cells)), progress
        cache = cache or EmbeddingCache()
        train, validation, test = _pairs(config)
        self.teacher = Teacher.load(config.teacher, config.teacher_dtype)
        # test and validation first: a wrong folder or a full disk shows before the long part
        self.test, self.validation, self.train = (
            EmbeddedPairs(pairs, pairs.embed(self.teacher, cache, progress=progress))
            for pairs in (test, validation, train)
        )
        turns = 1 + config.context_turns
        core = TrainingConfig(context_turns=config.context_turns)
        self.budget = config.budget or Core(core).parameters(self.teacher.dimension, turns)
        self.baselines = _chosen(baselines(turns=turns, budget=self.budget, core=core), config.methods)
        self.sizes = list(dict.fromkeys(n if n is not None and n < len(train) else None for n in config.train_sizes))

    def run(self) -> dict[str, Any]:
        """Compute what is missing; returns the JSON object.

        `results` holds one entry a method, training size, seed, source and metric, `differences` one a method, training
        size and source: see `differences`.
        """
        from dataset_builders.common.progress import leaderboard_bar

        plan = list(self.plan())
        steps = sum(1 + (len(cell.baseline.grid) if cell.seed == 0 else 0) for cell in plan)
        results: list[dict[str, Any]] = []
        with leaderboard_bar(steps, self.progress) as advance:
            for cell in plan:
                advance(0, cell)
                results += self._cell(cell, lambda cell=cell: advance(1, cell))
                advance(1, cell)
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

    def plan(self) -> Iterator[Cell]:
        """All cells. What would give the same result again is in it once."""
        for baseline in self.baselines:
            for size in self.sizes if baseline.learns else [None]:
                varies = baseline.learns and (baseline.seeded or size is not None)
                for seed in range(self.config.seeds if varies else 1):
                    yield Cell(baseline, size, seed)

    def training_pairs(self, size: int | None, seed: int) -> EmbeddedPairs:
        """A seeded choice of `size` training pairs; all when None."""
        if size is None:
            return self.train
        rows = np.sort(np.random.default_rng(seed).choice(len(self.train), size=size, replace=False))
        return EmbeddedPairs(self.train.pairs.select(rows), self.train.vectors)

    def _cell(self, cell: Cell, advance: Any) -> list[dict[str, Any]]:
        """The entries of one cell, computed or found."""
        facts = self._facts(cell)
        found = self.cells.get(facts)
        if found is None:
            train = self.training_pairs(cell.train_size, cell.seed)
            tuned = self._tune(cell, advance)
            if cell.seed == 0 and isinstance(tuned, Tuning) and self._tuning_size(cell) == cell.train_size:
                fitted = tuned.best
            else:
                chosen = tuned.best.settings if isinstance(tuned, Tuning) else tuned["settings"]
                settings = chosen if cell.baseline.grid != ({},) else None
                fitted = cell.baseline.fit(train, self.validation, seed=cell.seed, settings=settings)
            search = self.cells.get(self._search_facts(cell))
            found = [entry for each in cell.baseline.variants(fitted) for entry in self._judge(cell, each, search)]
            self.cells.put(facts, found)
        elif cell.seed == 0:
            for _ in cell.baseline.grid:
                advance()
        return found

    def _tune(self, cell: Cell, advance: Any) -> Tuning | dict[str, Any]:
        """The search of a method and training size: with the fit where it is run now, else its record."""
        facts = self._search_facts(cell)
        record = self.cells.get(facts)
        if record is not None and (cell.seed != 0 or self._tuning_size(cell) != cell.train_size):
            for _ in cell.baseline.grid if cell.seed == 0 else ():
                advance()
            return dict(record)
        train = self.training_pairs(self._tuning_size(cell), 0)
        tuning = cell.baseline.tune(
            train, self.validation, seed=0, known=self.cells.trials(facts), advance=advance if cell.seed == 0 else None
        )
        search = {"settings": tuning.best.settings, "seconds": tuning.seconds, "trials": len(tuning.tried)}
        self.cells.put(facts, search)
        return tuning

    def _tuning_size(self, cell: Cell) -> int | None:
        """Training pairs of the fits that settings are chosen from; what chooses them in closed form reads all."""
        size, most = cell.train_size, self.config.tuning_pairs
        return most if cell.baseline.grid != ({},) and (size or len(self.train)) > most else size

    def _judge(self, cell: Cell, fitted: Fitted, search: dict[str, Any]) -> Iterator[dict[str, Any]]:
        config, method = self.config, fitted.method
        shared = {
            "split": "test",
            "seed": cell.seed,
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
            drawn = report.results[0].samples[METRIC]
            for entry in to_json(report, source=source, language=language, **shared):
                yield entry if entry["metric"] != METRIC else entry | {SAMPLES: drawn.round(6).tolist()}

    def _tests(self) -> Iterator[tuple[str, QuestionAnswerPairs]]:
        """Each tested source by itself, and all together where there are several."""
        pairs = self.test.pairs
        names = sorted(set(pairs.sources))
        if len(names) > 1:
            yield "all", pairs
        for name in names:
            yield name, pairs.select(np.flatnonzero([source == name for source in pairs.sources]))

    def _facts(self, cell: Cell) -> Facts:
        """All that the result of a cell depends on."""
        trained = {"train_size": cell.train_size, "seed": cell.seed, "test": self.test.pairs.fingerprint}
        return {**self._search_facts(cell), **trained, **self._schedule(cell, cell.train_size)}

    def _search_facts(self, cell: Cell) -> Facts:
        """All that a search over settings depends on: training sizes that search among the same pairs share it."""
        facts: Facts = {
            "version": [VERSION, PROTOCOL, versions().get("dialogue-cube")],
            "method": cell.baseline.name,
            "grid": list(cell.baseline.grid),
            "tuning_size": self._tuning_size(cell),
            "train": self.train.pairs.fingerprint,
            "validation": self.validation.pairs.fingerprint,
            "teacher": self.teacher.fingerprint,
            "turns": 1 + self.config.context_turns,
            "draws": self.config.draws,
            "budget": getattr(cell.baseline, "budget", None),
        }
        if isinstance(cell.baseline, Core):
            facts["core"] = cell.baseline.config.of_the_run()
        return {**facts, **self._schedule(cell, self._tuning_size(cell))}

    def _schedule(self, cell: Cell, size: int | None) -> Facts:
        """What the common training loop does with so many pairs; nothing for methods that have their own."""
        if not isinstance(cell.baseline, Contrastive | Core):
            return {}
        run, pairs = TrainingConfig(), size or len(self.train)
        batch = schedule.batch_size(run, pairs)
        epochs = schedule.epochs(run, max(1, pairs // batch))
        chosen = {"batch_size": batch, "epochs": epochs, "patience": schedule.patience(run, epochs)}
        rest = {"weight_decay": run.weight_decay, "temperature": run.temperature, "scheduler": run.scheduler}
        return {"training": {**chosen, **rest}}


def _chosen(every: dict[str, Baseline], names: Sequence[str] | None) -> list[Baseline]:
    unknown = sorted(set(names or ()) - set(every))
    if unknown:
        raise ModelError(f"no method {', '.join(unknown)}; there are {', '.join(every)}")
    return [every[name] for name in dict.fromkeys(names or every)]


def _pairs(config: LeaderboardConfig) -> tuple[QuestionAnswerPairs, QuestionAnswerPairs, QuestionAnswerPairs]:
    """Training, validation and test pairs."""
    trained_on: Sequence[str] | None = config.sources
    tested_on: Sequence[str] | None = config.sources
    if config.leave_out is not None:
        known = config.sources or sorted(set(load_pairs(config.data, "train").sources))
        trained_on, tested_on = [name for name in known if name != config.leave_out], [config.leave_out]
        if not trained_on:
            raise ModelError(f"--leave-out {config.leave_out}: no other source to train on; there is only that one")
    run = TrainingConfig(
        data=config.data,
        sources=None if trained_on is None else list(trained_on),
        context_turns=config.context_turns,
        max_validation_pairs=config.max_validation_pairs,
        seed=_SELECTION_SEED,
    )
    train, validation = load_training_pairs(run)
    test = load_pairs(
        config.data,
        "test",
        sources=tested_on,
        max_pairs=config.max_test_pairs,
        context_turns=config.context_turns,
        seed=_SELECTION_SEED,
    )
    return train, validation, test


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def microseconds_per_query(method: Scorer, test: EmbeddedPairs) -> float:
    """Microseconds to map one question, in a batch of 256: the best of seven.

    The teacher's own time and the search among the mapped answers are the same for all and not in it. Word methods
    split and count the words of the question.
    """
    rows = np.arange(min(QUERIES, len(test)))
    query = method.query(test.pairs.select(rows), test.vectors)
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        query()
        taken.append(time.perf_counter() - started)
    return round(min(taken) / len(rows) * 1e6, 3)
