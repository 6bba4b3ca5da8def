"""Search of the nearest real answers to a question, with a trained core.

>>> from cube_model import CubeRetriever
>>> retriever = CubeRetriever.from_pretrained("core", "dataset", max_answers=100)
>>> answers = retriever.ask("I need a cheap restaurant in the north", k=3)
>>> retriever.save_index("answers")  # next time: CubeRetriever.from_pretrained("core", index="answers")
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cube_model.errors import ModelError
from cube_model.inference.answers import Where, answers_fingerprint, read_answers
from cube_model.inference.cached_indexes import forget_oldest, keep, load_cached, place_of
from cube_model.inference.choices import SearchKind
from cube_model.inference.index import INDEX, AnswerIndex, is_index
from cube_model.inference.index_parts import build_in_parts
from cube_model.inference.loading import check_teacher, core_fingerprint, load_core, teacher_of
from cube_model.inference.processor import EmbeddingProcessor
from cube_model.inference.search import make_search, uses_lists
from cube_model.teacher.teacher import Teacher
from cube_model.vectors.cache import EmbeddingCache, indexes_folder
from dataset_builders.common.outputs import Output
from dataset_builders.common.progress import encoding_progress
from dataset_builders.common.reading import is_text

if TYPE_CHECKING:
    import pyarrow as pa

    from cube_model.core.modeling_cube import CubeModel

_LONG = 60.0
"""Seconds of encoding that are announced."""

_CHUNK = 4096
"""Answers mapped at once, in place; bounds the memory."""


@dataclass(frozen=True)
class Answer:
    """An answer to a question.

    Attributes:
        score: Cosine of the mapped question and the mapped answer.
        text: Text of the answer.
        source: Source that the answer comes from.
        license: SPDX identifier of its licence.
    """

    score: float
    text: str
    source: str
    license: str


class CubeRetriever:
    """Search the distinct system answers of a corpus: exactly up to a million, then by a graph, then by lists on disk.

    Args:
        model: Trained core.
        teacher: Teacher of the core.
        index: Answers and their embeddings, mapped by this core.

    Raises:
        ModelError: The core is an autoencoder, or was trained with another teacher.

    Example:
        >>> retriever = CubeRetriever.from_pretrained("core", "dataset", max_answers=100)
        >>> answers = retriever.ask("I need a cheap restaurant in the north", k=3)
        >>> answers[0].score >= answers[1].score, answers[0].license
        (True, 'Apache-2.0')
    """

    def __init__(self, model: CubeModel, teacher: Teacher, index: AnswerIndex) -> None:
        if model.config.mode == "autoencoder":
            raise ModelError(
                "this core is an autoencoder, which reconstructs embeddings and cannot answer; train a dialogue core"
            )
        check_teacher(model, teacher)
        self.model, self.teacher, self.index = model.eval(), teacher, index
        self._processor = EmbeddingProcessor(model)

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str],
        data: str | os.PathLike[str] | None = None,
        *,
        index: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        teacher: str | None = None,
        vectors: str | os.PathLike[str] | None = None,
        sources: Sequence[str] | None = None,
        splits: Sequence[str] | None = None,
        max_answers: int | None = None,
        where: Where | None = None,
        search: SearchKind = "auto",
        cache: EmbeddingCache | None = None,
        revision: str | None = None,
        progress: bool = True,
    ) -> CubeRetriever:
        """Load a core and index the answers of a dataset, or open a saved index.

        The embeddings and, of large datasets, the index are cached: the next call with the same core, teacher and
        answers takes seconds.

        Args:
            model: Folder or Hub repository of a trained core.
            data: Folder made by `dialogue-cube build`, or Hub dataset repository. Optional for a saved index; if
                passed, the index must match it.
            index: Folder of a saved index; created from `data` if it does not exist.
            overwrite: Build the index again.
            teacher: Name, folder or Hub repository of the core's teacher. Default: the recorded name.
            vectors: Folder of vectors written by `dialogue-cube embed`, read in place of encoding.
            sources: Names of the sources to search. Default: all.
            splits: Names of the splits to search. Default: all.
            max_answers: Maximum number of answers; more are sampled at random, with a fixed seed. Encoding all answers
                of a large corpus takes minutes the first time. Default: no limit.
            where: Values that the metadata of own data must have, by key, such as `{"team": "sales"}`. Default: all
                answers.
            search: `"exact"`, `"graph"`, `"lists"` (on disk), or `"auto"`: exact up to a million answers, lists above
                four million.
            cache: Embedding cache. Default: `EmbeddingCache(vectors=vectors)`.
            revision: Branch, tag or commit of the core's repository.
            progress: Show an estimate and a progress bar on the error stream while answers are encoded.

        Raises:
            ModelError: The core, the teacher or the dataset is unavailable, the teacher is not the one that the core
                was trained with, or the saved index was made with another core, teacher or dataset.
        """
        use_saved = index is not None and is_index(index) and not overwrite
        if data is None and not use_saved:
            problem = f"{index}: no answer index; " if index is not None else ""
            raise ModelError(f"{problem}pass the dataset to search (--data)")
        if data is None and (sources or splits or max_answers or where):
            raise ModelError("sources, splits, max_answers and where select rows of a dataset: pass it too (--data)")
        with ExitStack() as claimed:
            output = None  # claimed before minutes are spent on encoding
            if index is not None and not use_saved:
                output = claimed.enter_context(Output(index, INDEX, overwrite=overwrite).claimed())
            core = load_core(model, revision)
            loaded = teacher_of(core, teacher)
            answers = None if data is None else read_answers(data, sources, splits, max_answers, where)
            fingerprints = {"core": core_fingerprint(core), "teacher": loaded.fingerprint}
            if answers is not None:
                fingerprints["data"] = answers_fingerprint(answers)
            if answers is None or use_saved:
                return cls(core, loaded, AnswerIndex.load(str(index), fingerprints, search=search))
            cache = cache or EmbeddingCache(vectors=vectors)
            indexes = indexes_folder(cache.folder)
            answer_index = load_cached(indexes, fingerprints, search)
            if answer_index is None and uses_lists(search, len(answers)):
                place = place_of(indexes, fingerprints, search)
                with nullcontext(output) if output else Output(place, INDEX).claimed(wait=True) as claim:
                    _build_with_lists(claim, answers, fingerprints, core, loaded, cache, progress)
                if output is None:
                    forget_oldest(indexes)
                return cls(core, loaded, AnswerIndex.load(claim.place, fingerprints, search=search))
            if answer_index is None:
                texts = answers["text"].to_pylist()
                if progress:
                    _say_how_long(cache, loaded, texts)
                encoded = cache.embed(loaded, texts, progress=progress)
                answer_index = AnswerIndex(answers, make_search(_map_answers(core, encoded), search), fingerprints)
                if output is None:
                    keep(indexes, answer_index, search)
            if output is not None:
                answer_index.write(output)
            return cls(core, loaded, answer_index)

    @property
    def answers(self) -> pa.Table:
        """Table of the answers: text, source, license, redistributable."""
        return self.index.answers

    def save_index(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Save the index; see `AnswerIndex.save`. The folder quotes the corpus, so its licences apply."""
        self.index.save(folder, overwrite=overwrite)

    def ask(self, question: str, context: Sequence[str] = (), k: int = 5) -> list[Answer]:
        """Find the k best answers to a question, best first.

        Args:
            question: The user's turn.
            context: Turns before the question, oldest first; the core reads the last `context_turns` of them.
            k: Number of answers, at least 1.

        Raises:
            ModelError: The question is empty, or k is less than 1.
        """
        return self.ask_many([question], [context], k)[0]

    def ask_many(
        self, questions: Sequence[str], contexts: Sequence[Sequence[str]] | None = None, k: int = 5
    ) -> list[list[Answer]]:
        """Find the k best answers to each of n questions, much faster than one by one.

        Args:
            questions: n questions.
            contexts: Turns before each question, oldest first: n sequences. Default: no context.
            k: Number of answers to each question, at least 1.

        Raises:
            ModelError: A question is empty, k is less than 1, or the numbers of contexts and questions differ.
        """
        if not questions:
            return []
        return self._answers(self._processor.process_batch(self._encode(questions, contexts)), k)

    def nearest(self, vector: np.ndarray, k: int = 5) -> list[Answer]:
        """Find the k answers nearest to a mapped embedding.

        Args:
            vector: Mapped embedding `[dimension]`, such as a row of `EmbeddingProcessor.variations`.
            k: Number of answers, at least 1.

        Raises:
            ModelError: k is less than 1.
        """
        return self._answers(vector[None], k)[0]

    def variations(
        self,
        question: str,
        context: Sequence[str] = (),
        *,
        count: int = 8,
        temperature: float = 0.3,
        k: int = 1,
        seed: int = 0,
    ) -> list[list[Answer]]:
        """Sample random variations of the answer to one question, and find the k nearest real answers of each.

        Args:
            question: The user's turn.
            context: Turns before the question, oldest first.
            count: Number of variations, at least 1.
            temperature: Amount of variation, at least 0 (none); see `EmbeddingProcessor.variations`.
            k: Number of answers to each variation, at least 1.
            seed: Random seed of the variations.

        Raises:
            ModelError: The question is empty, or `count`, `temperature` or k is out of range.
        """
        sampler = EmbeddingProcessor(self.model, "generator", seed=seed)
        encoded = self._encode([question], [context])[0]
        return self._answers(sampler.variations(encoded, count, temperature=temperature), k)

    def _encode(self, questions: Sequence[str], contexts: Sequence[Sequence[str]] | None) -> np.ndarray:
        """Embeddings `[n, 1 + context_turns, dimension]`: question, turn before it, ...; zeros for missing turns."""
        contexts = contexts if contexts is not None else [()] * len(questions)
        if len(contexts) != len(questions):
            raise ModelError(f"{len(questions)} questions but {len(contexts)} contexts")
        if any(not question.strip() for question in questions):
            raise ModelError("the question is empty")
        if not all(is_text(turn) for texts in (questions, *contexts) for turn in texts):
            raise ModelError(
                "the question or its context contains half of a character (a lone surrogate): it was not UTF-8; write "
                "it again"
            )
        width = 1 + self.model.config.context_turns
        turns = [[q, *reversed(context)][:width] for q, context in zip(questions, contexts, strict=True)]
        encoded = iter(self.teacher.encode([text for texts in turns for text in texts]))
        vectors = np.zeros((len(turns), width, self.teacher.dimension), dtype=np.float32)
        for row, texts in zip(vectors, turns, strict=True):
            for position in range(len(texts)):
                row[position] = next(encoded)
        return vectors

    def _answers(self, vectors: np.ndarray, k: int) -> list[list[Answer]]:
        if k < 1:
            raise ModelError(f"k is {k}: expected at least 1")
        rows, scores = self.index.search.nearest(vectors, k)
        table = self.answers.select(["text", "source", "license"]).take(rows.ravel())
        values = zip(*(column.to_pylist() for column in table.columns), strict=True)
        answers = [Answer(float(score), *row) for score, row in zip(scores.ravel(), values, strict=True)]
        width = rows.shape[1]
        return [answers[start : start + width] for start in range(0, len(answers), width)]


def _build_with_lists(
    output: Output,
    answers: pa.Table,
    fingerprints: dict[str, str],
    core: CubeModel,
    teacher: Teacher,
    cache: EmbeddingCache,
    progress: bool,
) -> None:
    """Write an index of answers whose embeddings are never all in memory."""
    with encoding_progress(teacher, len(answers), progress) as advance:
        build_in_parts(
            output,
            answers,
            fingerprints,
            teacher.dimension,
            lambda texts: _map_answers(core, cache.embed(teacher, texts)),
            advance,
        )


def _say_how_long(cache: EmbeddingCache, teacher: Teacher, texts: list[str]) -> None:
    """Print an estimate where encoding takes more than a minute."""
    from rich.console import Console

    missing, seconds = cache.encoding_time(teacher, texts)
    if seconds > _LONG:
        sample = max(1_000, int(missing * _LONG / seconds) // 1_000 * 1_000)
        Console(stderr=True, highlight=False).print(
            f"{missing:,} of {len(texts):,} answers have to be encoded with {teacher.name}: about {seconds / 60:.0f} "
            f"min, seconds from the next time on. A random sample of {sample:,} answers takes about a minute: "
            f"--max-answers {sample}, in Python max_answers={sample}."
        )


def _map_answers(core: CubeModel, vectors: np.ndarray) -> np.ndarray:
    """Map the answers' embeddings, float32 `[m, dimension]`, through the core, in place."""
    processor = EmbeddingProcessor(core)
    for start in range(0, len(vectors), _CHUNK):
        vectors[start : start + _CHUNK] = processor.process_answers(vectors[start : start + _CHUNK])
    return vectors
