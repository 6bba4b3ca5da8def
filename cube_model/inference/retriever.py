"""Ask a trained core: the nearest real answers of a corpus.

>>> from cube_model import CubeRetriever
>>> retriever = CubeRetriever.from_pretrained("my-core", "my-corpus")
>>> retriever.ask("I need a cheap hotel in the north", k=1)[0].text
'Sure, what city are you going to?'
>>> retriever.save_index("my-index")  # next time: CubeRetriever.from_pretrained("my-core", index="my-index")
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cube_model.errors import ModelError
from cube_model.inference.answers import answers_fingerprint, read_answers
from cube_model.inference.index import AnswerIndex, is_index
from cube_model.inference.loading import check_teacher, core_fingerprint, load_core, teacher_of
from cube_model.inference.processor import EmbeddingProcessor
from cube_model.inference.search import make_search
from cube_model.teacher.teacher import Teacher
from cube_model.vectors.cache import EmbeddingCache

if TYPE_CHECKING:
    import pyarrow as pa

    from cube_model.core.modeling_cube import CubeModel

_CHUNK = 4096
"""Answers mapped at a time, in place: bounds the memory."""


@dataclass(frozen=True)
class Answer:
    """One answer found: cosine to the mapped question, text, and where it comes from."""

    score: float
    text: str
    source: str
    license: str


class CubeRetriever:
    """Search over the distinct system answers of a corpus: exact up to a million of them, through a graph above.

    Args:
        model: A trained core.
        teacher: Its teacher.
        index: Answers and their vectors, mapped by this core.

    Raises:
        ModelError: The core answers nothing, or the teacher is not the one that it was trained with.
    """

    def __init__(self, model: CubeModel, teacher: Teacher, index: AnswerIndex) -> None:
        if model.config.mode == "autoencoder":
            raise ModelError(
                "this core is an autoencoder: it restores vectors, it does not answer; train a dialogue core"
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
        sources: Sequence[str] | None = None,
        splits: Sequence[str] | None = None,
        max_answers: int | None = None,
        search: str = "auto",
        cache: EmbeddingCache | None = None,
        revision: str | None = None,
        progress: bool = False,
    ) -> CubeRetriever:
        """Load a core and index the answers of a dataset, or open a saved index.

        Args:
            model: Folder or Hub repository of a trained core.
            data: Folder made by `dialogue-cube build`, or Hub dataset repository. Not needed for a saved index, which
                is then not checked against it.
            index: Folder of a saved index; built from `data` and saved there when there is none.
            overwrite: Build the index again.
            teacher: Where to find the core's teacher, when its recorded name does not lead there.
            sources: Corpora whose answers are searched; all when not given.
            splits: Splits whose answers are searched; all when not given.
            max_answers: At most so many answers, a seeded choice; encoding all of a large corpus takes minutes once.
            search: `"exact"`, `"graph"`, or `"auto"`: exact up to a million answers.
            cache: Embedding cache; the default one when not given.
            revision: Branch, tag or commit of the core's repository.
            progress: Show a progress bar while answers are encoded.

        Raises:
            ModelError: Something is missing, the teacher is not the one the core was trained with, or the saved index
                was made with another core, teacher or data.
        """
        saved = index is not None and is_index(index) and not overwrite
        if data is None and not saved:
            where = f"{index}: no answer index; " if index is not None else ""
            raise ModelError(f"{where}give the dataset whose answers are searched (--data)")
        if data is None and (sources or splits or max_answers):
            raise ModelError("sources, splits and max_answers choose rows of a dataset: give it too (--data)")
        core = load_core(model, revision)
        found = teacher_of(core, teacher)
        answers = None if data is None else read_answers(data, sources, splits, max_answers)
        fingerprints = {"core": core_fingerprint(core), "teacher": found.fingerprint}
        if answers is not None:
            fingerprints["data"] = answers_fingerprint(answers)
        if answers is None or (index is not None and saved):
            return cls(core, found, AnswerIndex.load(str(index), fingerprints, search=search))
        vectors = (cache or EmbeddingCache()).embed(found, answers["text"].to_pylist(), progress=progress)
        retriever = cls(core, found, AnswerIndex(answers, make_search(_mapped(core, vectors), search), fingerprints))
        if index is not None:
            retriever.save_index(index, overwrite=overwrite)
        return retriever

    @property
    def answers(self) -> pa.Table:
        """The answers searched: text, source, license, redistributable."""
        return self.index.answers

    def save_index(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Save answers and vectors; see `AnswerIndex.save`. The folder quotes the corpus: mind its licences."""
        self.index.save(folder, overwrite=overwrite)

    def ask(self, question: str, context: Sequence[str] = (), k: int = 5) -> list[Answer]:
        """The k best answers, best first.

        Args:
            question: The user's turn.
            context: Turns before it, oldest first; the core reads the last `context_turns` of them.
            k: Answers wanted.

        Raises:
            ModelError: The question is empty or k is less than 1.
        """
        return self.ask_many([question], [context], k)[0]

    def ask_many(
        self, questions: Sequence[str], contexts: Sequence[Sequence[str]] | None = None, k: int = 5
    ) -> list[list[Answer]]:
        """The k best answers to each of n questions; much faster than one by one.

        Args:
            questions: n questions.
            contexts: The turns before each, oldest first.
            k: Answers wanted of each.

        Raises:
            ModelError: A question is empty, k is less than 1, or there are not as many contexts as questions.
        """
        if not questions:
            return []
        return self._answers(self._processor.process_batch(self._turns(questions, contexts)), k)

    def nearest(self, vector: np.ndarray, k: int = 5) -> list[Answer]:
        """The real answers nearest to a mapped vector `[d]`, such as `EmbeddingProcessor.variations` gives."""
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
        """Random variations around the answer to one question, each by its k nearest real answers.

        Args:
            question: The user's turn.
            context: Turns before it, oldest first.
            count: Variations wanted.
            temperature: How far they stray, see `EmbeddingProcessor.variations`; 0: not at all.
            k: Real answers shown of each.
            seed: Equal seeds give equal variations.
        """
        sampler = EmbeddingProcessor(self.model, "generator", seed=seed)
        return self._answers(
            sampler.variations(self._turns([question], [context])[0], count, temperature=temperature), k
        )

    def _turns(self, questions: Sequence[str], contexts: Sequence[Sequence[str]] | None) -> np.ndarray:
        """Vectors `[n, 1 + context_turns, d]`: the question, the turn before it, ...; zeros where there is none."""
        contexts = contexts if contexts is not None else [()] * len(questions)
        if len(contexts) != len(questions):
            raise ModelError(f"{len(questions)} questions but {len(contexts)} contexts")
        if any(not question.strip() for question in questions):
            raise ModelError("the question is empty")
        width = 1 + self.model.config.context_turns
        turns = [[q, *reversed(context)][:width] for q, context in zip(questions, contexts, strict=True)]
        encoded = iter(self.teacher.encode([text for each in turns for text in each]))
        given = np.zeros((len(turns), width, self.teacher.dimension), dtype=np.float32)
        for row, each in zip(given, turns, strict=True):
            for place in range(len(each)):
                row[place] = next(encoded)
        return given

    def _answers(self, vectors: np.ndarray, k: int) -> list[list[Answer]]:
        if k < 1:
            raise ModelError(f"k is {k}: expected at least 1")
        found, scores = self.index.search.nearest(vectors, k)
        columns = ["text", "source", "license"]
        texts = zip(
            *(self.answers.select(columns).take(found.ravel())[name].to_pylist() for name in columns), strict=True
        )
        flat = [Answer(float(score), *row) for score, row in zip(scores.ravel(), texts, strict=True)]
        width = found.shape[1]
        return [flat[start : start + width] for start in range(0, len(flat), width)]


def _mapped(core: CubeModel, vectors: np.ndarray) -> np.ndarray:
    """The answers' vectors float32 `[m, d]` as the core maps them, length 1; in the same memory."""
    processor = EmbeddingProcessor(core)
    for start in range(0, len(vectors), _CHUNK):
        vectors[start : start + _CHUNK] = processor.process_answers(vectors[start : start + _CHUNK])
    return vectors
