"""Word overlap: BM25 (bm25s) and TF-IDF (scikit-learn) on the texts themselves; nothing of the teacher."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cube_model.errors import ModelError
from cube_model.evaluation.baselines.base import Baseline, EmbeddedPairs, Fitted, Settings

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

    from cube_model.data.pairs import QuestionAnswerPairs

    Ask = Callable[[list[str]], csr_matrix]


@dataclass(frozen=True)
class LexicalMethod:
    """Common part of both: which texts are a question. Fulfils `methods.Scorer`."""

    name: str
    turns: int
    train_size: int | None = None
    parameters: int = 0
    reads_vectors: bool = False

    def map(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> tuple[csr_matrix, csr_matrix]:
        """Sparse rows of the questions (words of the turns read, together) and of the answers."""
        distinct, place = np.unique(pairs.answers, return_inverse=True)
        answers, ask = self.weigh([pairs.texts[i] for i in distinct])
        return ask(self._asked(pairs)), answers[place]

    def query(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> Callable[[], object]:
        """See `Scorer.query`."""
        _, ask = self.weigh([pairs.texts[i] for i in np.unique(pairs.answers)])
        asked = self._asked(pairs)
        return lambda: ask(asked)

    def _asked(self, pairs: QuestionAnswerPairs) -> list[str]:
        return [" ".join(pairs.texts[i] for i in row[: self.turns] if i >= 0) for row in pairs.questions]

    @abstractmethod
    def weigh(self, answers: list[str]) -> tuple[csr_matrix, Ask]:
        """Word weights `[m, words]` of the answers, and what gives `[n, words]` of questions, for inner products."""
        raise NotImplementedError


@dataclass(frozen=True)
class BM25Method(LexicalMethod):
    """BM25 over an index of the answers that are ranked, as a search engine would have it."""

    k1: float = 1.5
    b: float = 0.75

    def weigh(self, answers: list[str]) -> tuple[csr_matrix, Ask]:
        """See `LexicalMethod.weigh`: bm25s weighs a word in a document when it indexes; questions count words."""
        import bm25s
        from scipy.sparse import csc_matrix, csr_matrix

        options = {"stopwords": None, "show_progress": False}
        index = bm25s.BM25(k1=self.k1, b=self.b)
        index.index(bm25s.tokenize(answers, **options), show_progress=False)
        stored, number = index.scores, index.vocab_dict
        words = len(stored["indptr"]) - 1
        weights = csc_matrix((stored["data"], stored["indices"], stored["indptr"]), shape=(len(answers), words))

        def ask(questions: list[str]) -> csr_matrix:
            asked = [
                [number[word] for word in row if number.get(word, words) < words]
                for row in bm25s.tokenize(questions, return_ids=False, **options)
            ]
            ends = np.cumsum([0, *map(len, asked)])
            columns = np.concatenate([np.array(row, dtype=np.int64) for row in asked])
            return csr_matrix((np.ones(len(columns), np.float32), columns, ends), shape=(len(questions), words))

        return weights.tocsr(), ask


@dataclass(frozen=True)
class TfidfMethod(LexicalMethod):
    """Cosine of TF-IDF vectors; document frequencies of the training pairs."""

    vectorizer: TfidfVectorizer | None = None

    def weigh(self, answers: list[str]) -> tuple[csr_matrix, Ask]:
        """See `LexicalMethod.weigh`."""
        assert self.vectorizer is not None  # the default is there for the dataclass alone
        return self.vectorizer.transform(answers), self.vectorizer.transform


class BM25(Baseline):
    """Tuned: turns read, k1 and b.

    Args:
        turns: Turns of a question at most.
    """

    name = "bm25"
    learns = False

    def __init__(self, turns: int) -> None:
        self.grid = tuple(
            {"turns": t, "k1": k1, "b": b} for t in range(1, turns + 1) for k1 in (0.9, 1.5) for b in (0.4, 0.75)
        )

    def fit(
        self, train: EmbeddedPairs, validation: EmbeddedPairs, *, seed: int = 0, settings: Settings | None = None
    ) -> Fitted:
        """See `Baseline.fit`; nothing is learned."""
        try:
            import bm25s  # noqa: F401
        except ImportError as error:
            raise ModelError("bm25 needs the package bm25s: pip install bm25s, or leave it out of --methods") from error
        settings = dict(settings or self.grid[0])
        started = time.monotonic()
        method = BM25Method(self.name, **settings)
        return Fitted(method, settings, validation.accuracy(method, seed), time.monotonic() - started)


class Tfidf(Baseline):
    """Tuned: turns read, words or words and their pairs.

    Args:
        turns: Turns of a question at most.
    """

    name = "tfidf"
    seeded = False

    def __init__(self, turns: int) -> None:
        self.grid = tuple({"turns": t, "words": words} for t in range(1, turns + 1) for words in (1, 2))

    def fit(
        self, train: EmbeddedPairs, validation: EmbeddedPairs, *, seed: int = 0, settings: Settings | None = None
    ) -> Fitted:
        """See `Baseline.fit`."""
        try:
            from sklearn.feature_extraction.text import TfidfVectorizer
        except ImportError as error:
            raise ModelError(
                "tfidf needs scikit-learn: pip install scikit-learn, or leave it out of --methods"
            ) from error
        settings = dict(settings or self.grid[0])
        started = time.monotonic()
        pairs = train.pairs
        used = np.unique(np.concatenate([pairs.questions[:, 0], pairs.answers]))
        vectorizer = TfidfVectorizer(ngram_range=(1, settings["words"]), sublinear_tf=True, dtype=np.float32)
        vectorizer.fit([pairs.texts[i] for i in used])
        method = TfidfMethod(self.name, settings["turns"], len(train), vectorizer=vectorizer)
        return Fitted(method, settings, validation.accuracy(method, seed), time.monotonic() - started)
