"""Cores as the dashboard of `dataset_builders` reads them; it finds this by entry point (`dialogue_cube.dashboard`)."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cube_model.errors import ModelError
from cube_model.training.output import RECORD

_LEADERBOARD = "dialogue-cube leaderboard --json"
"""What writes a leaderboard."""


class Cores:
    """Figures of leaderboards and trainings, and trained cores to ask."""

    def leaderboard(self, file: Path) -> list[dict[str, Any]]:
        """The JSON of `dialogue-cube leaderboard` as rows: one a tested source, method and training size.

        Raises:
            ModelError: The file cannot be read or holds something else.
        """
        from cube_model.evaluation.leaderboard.tables import lines, sources

        content = _read_json(file, _LEADERBOARD)
        try:
            results = content["results"]
            return [
                {
                    "source": source,
                    "method": line.method,
                    "pairs": line.train_size,
                    "parameters": line.parameters,
                    "seeds": len(line.metrics["accuracy_1_of_100"]),
                    "accuracy": line.mean("accuracy_1_of_100"),
                    "low": line.intervals["accuracy_1_of_100"][0],
                    "high": line.intervals["accuracy_1_of_100"][1],
                    "mrr": line.mean("mrr"),
                    "cosine": line.mean("mean_cosine"),
                    "seconds": statistics.fmean(line.seconds),
                    "microseconds": statistics.fmean(line.microseconds),
                }
                for source in sources(results)
                for line in lines(results, source)
            ]
        except (KeyError, TypeError, statistics.StatisticsError) as error:
            raise _no_leaderboard(file) from error

    def differences(self, file: Path) -> list[dict[str, Any]]:
        """The paired differences in the JSON of `dialogue-cube leaderboard` as rows, those of a source best first.

        Raises:
            ModelError: The file cannot be read or holds something else.
        """
        try:
            return [
                {
                    **{name: each[name] for name in ("source", "method", "minus")},
                    "pairs": each["train_size"],
                    "difference": each["value"],
                    "low": each["ci95"][0],
                    "high": each["ci95"][1],
                }
                for each in _read_json(file, _LEADERBOARD).get("differences", ())
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise _no_leaderboard(file) from error

    def training(self, folder: Path) -> list[dict[str, Any]]:
        """The figures of every epoch, of the untrained core first.

        Raises:
            ModelError: The folder has no record of a training.
        """
        content = _read_json(folder / RECORD, "cube_model.train")
        history = content.get("history") if isinstance(content, dict) else None
        if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
            raise ModelError(f"{folder / RECORD}: no learning curve in it; train the core again")
        return history

    def open(self, folder: Path) -> DashboardCore:
        """A trained core with its teacher.

        Raises:
            ModelError: There is none, or its teacher is not on this machine.
        """
        return DashboardCore(folder)


class DashboardCore:
    """A trained core and its teacher.

    Args:
        folder: Made by training.

    Raises:
        ModelError: There is none, or its teacher is not on this machine.
    """

    def __init__(self, folder: Path) -> None:
        from cube_model.inference.loading import load_core, teacher_of

        self._core = load_core(folder)
        self._teacher = teacher_of(self._core)
        self._answers: tuple[str, ...] = ()

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Teacher, lattice, steps, parameters and mode."""
        from cube_model.core.configuration_cube import cubic_lattice

        config = self._core.config
        return {
            "teacher": self._teacher.name,
            "lattice": tuple(config.lattice_size or cubic_lattice(config.embedding_dim)),
            "steps": config.steps,
            "parameters": self._core.num_parameters(),
            "mode": config.mode,
        }

    def rank(self, question: str, context: Sequence[str], answers: Sequence[str], k: int) -> list[tuple[int, float]]:
        """The k best of the distinct `answers`, best first: index and cosine.

        The answers' vectors come from the embedding cache; the search over them is kept for the next question.

        Raises:
            ModelError: The question is empty, or the core is an autoencoder.
        """
        if tuple(answers) != self._answers:
            self._retriever, self._answers = self._search(answers), tuple(answers)
            self._place = {text: index for index, text in enumerate(answers)}
        return [(self._place[found.text], found.score) for found in self._retriever.ask(question, context, k)]

    def lattice(self, question: str) -> np.ndarray:
        """State of every cell, float32 `[steps + 1, x, y, z]`, before the first step and after each."""
        import torch

        if not question.strip():
            raise ModelError("the question is empty")
        vector = torch.from_numpy(self._teacher.encode([question]))
        with torch.inference_mode():
            output = self._core(vector.to(self._core.device, self._core.dtype), output_lattice=True)
        return output.cell_states[0].float().cpu().numpy()

    def _search(self, answers: Sequence[str]) -> Any:
        import pyarrow as pa

        from cube_model.inference.index import AnswerIndex
        from cube_model.inference.processor import EmbeddingProcessor
        from cube_model.inference.retriever import CubeRetriever
        from cube_model.inference.search import make_search
        from cube_model.vectors.cache import EmbeddingCache

        vectors = EmbeddingCache().embed(self._teacher, list(answers))
        mapped = EmbeddingProcessor(self._core).process_answers(vectors)
        # where an answer comes from is known to the asker
        nowhere = pa.array([""] * len(answers), pa.string())
        table = pa.table({"text": pa.array(answers, pa.string()), "source": nowhere, "license": nowhere})
        return CubeRetriever(self._core, self._teacher, AnswerIndex(table, make_search(mapped), {}))


def _no_leaderboard(file: Path) -> ModelError:
    return ModelError(f"{file}: not a leaderboard; make one with {_LEADERBOARD}")


def _read_json(file: Path, maker: str) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{file}: cannot be read ({error.strerror}); {maker} writes it") from error
    except ValueError as error:
        raise ModelError(f"{file}: not JSON ({error}); {maker} writes it") from error
