"""Word overlap: BM25 (bm25s) and TF-IDF (scikit-learn) on the texts, without the teacher."""

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

    WeighQuestions = Callable[[list[str]], csr_matrix]


@dataclass(frozen=True)
class LexicalMethod:
    """Base class of the lexical methods; implements `methods.Scorer`."""

    name: str
    turns: int
    train_size: int | None = None
    parameters: int = 0
    reads_vectors: bool = False

    def map(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> tuple[csr_matrix, csr_matrix]:
        """Map n pairs to sparse word weights; the words of a question are those of all turns that are read."""
        distinct, index = np.unique(pairs.answers, return_inverse=True)
        answers, weigh_questions = self.weigh([pairs.texts[i] for i in distinct])
        return weigh_questions(self._questions(pairs)), answers[index]

    def query(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> Callable[[], object]:
        """See `Scorer.query`."""
        _, weigh_questions = self.weigh([pairs.texts[i] for i in np.unique(pairs.answers)])
        questions = self._questions(pairs)
        return lambda: weigh_questions(questions)

    def _questions(self, pairs: QuestionAnswerPairs) -> list[str]:
        return [" ".join(pairs.texts[i] for i in row[: self.turns] if i >= 0) for row in pairs.questions]

    @abstractmethod
    def weigh(self, answers: list[str]) -> tuple[csr_matrix, WeighQuestions]:
        """Weigh the words of m answers.

        Returns:
            Word weights of the answers, `[m, words]`, and a function that returns those of n questions, `[n, words]`.
            The inner product of two rows is the score.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class BM25Method(LexicalMethod):
    """BM25 over an index of the answers to rank, like a search engine."""

    k1: float = 1.5
    b: float = 0.75

    def weigh(self, answers: list[str]) -> tuple[csr_matrix, WeighQuestions]:
        """See `LexicalMethod.weigh`; bm25s computes the weights of the answers, and questions count their words."""
        import bm25s
        from scipy.sparse import csc_matrix, csr_matrix

        options = {"stopwords": None, "show_progress": False}
        index = bm25s.BM25(k1=self.k1, b=self.b)
        index.index(bm25s.tokenize(answers, **options), show_progress=False)
        scores, column_of = index.scores, index.vocab_dict
        words = len(scores["indptr"]) - 1
        weights = csc_matrix((scores["data"], scores["indices"], scores["indptr"]), shape=(len(answers), words))

        def weigh_questions(questions: list[str]) -> csr_matrix:
            rows = [
                [column_of[word] for word in row if column_of.get(word, words) < words]
                for row in bm25s.tokenize(questions, return_ids=False, **options)
            ]
            ends = np.cumsum([0, *map(len, rows)])
            columns = np.concatenate([np.array(row, dtype=np.int64) for row in rows])
            return csr_matrix((np.ones(len(columns), np.float32), columns, ends), shape=(len(questions), words))

        return weights.tocsr(), weigh_questions


@dataclass(frozen=True)
class TfidfMethod(LexicalMethod):
    """Cosine of TF-IDF vectors, with document frequencies from the training pairs."""

    vectorizer: TfidfVectorizer | None = None

    def weigh(self, answers: list[str]) -> tuple[csr_matrix, WeighQuestions]:
        """See `LexicalMethod.weigh`."""
        assert self.vectorizer is not None  # dataclass inheritance forces the default
        return self.vectorizer.transform(answers), self.vectorizer.transform


class BM25(Baseline):
    """BM25. The search selects the number of turns, k1 and b.

    Args:
        turns: Maximum number of turns, including the question.
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
        """See `Baseline.fit`; does not read the training pairs."""
        try:
            import bm25s  # noqa: F401
        except ImportError as error:
            raise ModelError(
                "bm25 needs bm25s: pip install 'dialogue-cube[evaluation]', or leave it out of --methods"
            ) from error
        settings = dict(settings or self.grid[0])
        started = time.monotonic()
        method = BM25Method(self.name, **settings)
        return Fitted(method, settings, validation.accuracy(method, seed), time.monotonic() - started)


class Tfidf(Baseline):
    """TF-IDF. The search selects the number of turns, and words or words with bigrams.

    Args:
        turns: Maximum number of turns, including the question.
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
                "tfidf needs scikit-learn: pip install 'dialogue-cube[evaluation]', or leave it out of --methods"
            ) from error
        settings = dict(settings or self.grid[0])
        started = time.monotonic()
        pairs = train.pairs
        indices = np.unique(np.concatenate([pairs.questions[:, 0], pairs.answers]))
        vectorizer = TfidfVectorizer(ngram_range=(1, settings["words"]), sublinear_tf=True, dtype=np.float32)
        vectorizer.fit([pairs.texts[i] for i in indices])
        method = TfidfMethod(self.name, settings["turns"], len(train), vectorizer=vectorizer)
        return Fitted(method, settings, validation.accuracy(method, seed), time.monotonic() - started)
