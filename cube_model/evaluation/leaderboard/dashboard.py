"""Model results, trained cores and assistants for the dashboard of `dataset_builders`.

The dashboard loads this module by the entry point `dialogue_cube.dashboard`.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cube_model.errors import ModelError
from cube_model.training.output import RECORD

_LEADERBOARD = "dialogue-cube leaderboard --json"
"""Command that writes a leaderboard."""


class Cores:
    """Results of leaderboards and training runs, trained cores, and assistants."""

    def leaderboard(self, file: Path) -> list[dict[str, Any]]:
        """Read the JSON of `dialogue-cube leaderboard` as rows, one per test source, method and training size.

        Raises:
            ModelError: The file cannot be read or is not a leaderboard.
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
            raise _not_a_leaderboard(file) from error

    def differences(self, file: Path) -> list[dict[str, Any]]:
        """Read the paired differences of `dialogue-cube leaderboard` as rows, by source and best first.

        Raises:
            ModelError: The file cannot be read or is not a leaderboard.
        """
        try:
            return [
                {
                    **{name: entry[name] for name in ("source", "method", "minus")},
                    "pairs": entry["train_size"],
                    "difference": entry["value"],
                    "low": entry["ci95"][0],
                    "high": entry["ci95"][1],
                }
                for entry in _read_json(file, _LEADERBOARD).get("differences", ())
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise _not_a_leaderboard(file) from error

    def training(self, folder: Path) -> list[dict[str, Any]]:
        """Read the metrics of every epoch, starting with the untrained core.

        Raises:
            ModelError: The folder has no training record.
        """
        content = _read_json(folder / RECORD, "cube_model.train")
        history = content.get("history") if isinstance(content, dict) else None
        if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
            raise ModelError(f"{folder / RECORD}: no learning curve; train the core again")
        return history

    def flow(self, folder: Path) -> dict[str, Any]:
        """Read the output of `dialogue-cube flow`.

        Raises:
            ModelError: The folder is not one of a flow.
        """
        from cube_model.flow.shown import shown_flow

        return shown_flow(folder)

    def open(self, folder: Path) -> DashboardCore:
        """Load a trained core with its teacher.

        Raises:
            ModelError: The core or its teacher cannot be loaded.
        """
        return DashboardCore(folder)

    def assistant(self, folder: Path) -> DashboardAssistant:
        """Load an assistant with its encoder.

        Raises:
            ModelError: The assistant cannot be loaded.
        """
        return DashboardAssistant(folder)


class DashboardAssistant:
    """An assistant, whose replies are plain values.

    Args:
        folder: Folder of the assistant.

    Raises:
        ModelError: It cannot be loaded.
    """

    def __init__(self, folder: Path) -> None:
        from cube_model.assistant.assistant import DialogueAssistant

        self._assistant = DialogueAssistant.from_pretrained(folder)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Encoder, number of answers, threshold, what is promised, and whether it knows intents."""
        info = self._assistant.info
        calibration = info["calibration"]
        return {
            "encoder": info["encoder"]["name"],
            "answers": info["answers"],
            "threshold": calibration["threshold"],
            "refused": calibration.get("guarantee"),
            "intents": bool(info["labels"]),
        }

    def reply(self, question: str, k: int) -> dict[str, Any]:
        """Reply to a question.

        Args:
            question: Question text.
            k: Largest number of answers.

        Returns:
            `is_known`, `confidence`, `answers` and `topics`; see `assistant.reply`.

        Raises:
            ModelError: The question is empty or too long.
        """
        return asdict(self._assistant.reply(question, k=k))

    def intent(self, question: str) -> dict[str, Any]:
        """Recognise the intent of a question.

        Returns:
            `label` (None if it is out of scope), `probability`, `alternatives` (label, probability), and more; see
            `intents.intent`.

        Raises:
            ModelError: The question is empty or too long, or the assistant has no intents.
        """
        return asdict(self._assistant.intent(question))


class DashboardCore:
    """A trained core and its teacher.

    Args:
        folder: Output folder of a training run.

    Raises:
        ModelError: The core or its teacher cannot be loaded.
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
        """Rank answers to a question.

        The answers' embeddings come from the embedding cache. The search index is reused while the answers stay the
        same.

        Args:
            question: Question text.
            context: Turns before the question, oldest first.
            answers: Distinct answer texts.
            k: Number of results.

        Returns:
            Index and cosine of the k best answers, best first.

        Raises:
            ModelError: The question is empty, or the core is an autoencoder.
        """
        if tuple(answers) != self._answers:
            self._retriever, self._answers = self._search(answers), tuple(answers)
            self._index = {text: index for index, text in enumerate(answers)}
        return [(self._index[answer.text], answer.score) for answer in self._retriever.ask(question, context, k)]

    def lattice(self, question: str, context: Sequence[str] = ()) -> np.ndarray:
        """Return the states of all cells with more and more of the context, from the question alone to all of it.

        Args:
            question: Question text.
            context: Turns before the question, oldest first; the core reads the last `context_turns` of them.

        Returns:
            float32 `[1 + turns, steps + 1, x, y, z]`: with the last 0, 1, ... turns, before the first step and after
            each step.

        Raises:
            ModelError: The question is empty.
        """
        import torch

        if not question.strip():
            raise ModelError("the question is empty")
        turns = [question, *reversed(context)][: 1 + self._core.config.context_turns]
        vectors = torch.from_numpy(self._teacher.encode(turns))
        # a turn that is left out is a row of zeros, as in training
        inputs = torch.stack([vectors * (torch.arange(len(turns)) <= last)[:, None] for last in range(len(turns))])
        with torch.inference_mode():
            output = self._core(inputs.to(self._core.device, self._core.dtype), output_lattice=True)
        return output.cell_states.float().cpu().numpy()

    def _search(self, answers: Sequence[str]) -> Any:
        import pyarrow as pa

        from cube_model.inference.index import AnswerIndex
        from cube_model.inference.processor import EmbeddingProcessor
        from cube_model.inference.retriever import CubeRetriever
        from cube_model.inference.search import make_search
        from cube_model.vectors.cache import EmbeddingCache

        vectors = EmbeddingCache().embed(self._teacher, list(answers))
        mapped = EmbeddingProcessor(self._core).process_answers(vectors)
        # the caller knows the source of each answer
        empty = pa.array([""] * len(answers), pa.string())
        table = pa.table({"text": pa.array(answers, pa.string()), "source": empty, "license": empty})
        return CubeRetriever(self._core, self._teacher, AnswerIndex(table, make_search(mapped), {}))


def _not_a_leaderboard(file: Path) -> ModelError:
    return ModelError(f"{file}: not a leaderboard; create one with {_LEADERBOARD}")


def _read_json(file: Path, writer: str) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{file}: cannot be read ({error.strerror}); {writer} writes it") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file}: not JSON ({error}); {writer} writes it") from error
