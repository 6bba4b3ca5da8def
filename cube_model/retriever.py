"""Ask a trained core: the nearest real answers of a corpus.

>>> from cube_model import CubeRetriever
>>> retriever = CubeRetriever.from_pretrained("my-core", "my-corpus")
>>> retriever.ask("I need a cheap hotel in the north", k=1)[0].text
'Sure, what city are you going to?'
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model._quiet import quiet_transformers
from cube_model.embedding_cache import EmbeddingCache
from cube_model.errors import ModelError
from cube_model.evaluation.metrics import normalize
from cube_model.question_answer_data import distinct_answers
from cube_model.teacher import Teacher

if TYPE_CHECKING:
    from cube_model.modeling_cube import CubeModel


@dataclass(frozen=True)
class Answer:
    """One answer found: cosine to the mapped question, text, and where it comes from."""

    score: float
    text: str
    source: str
    license: str


def load_core(model: str | os.PathLike[str], revision: str | None = None) -> CubeModel:
    """A trained core of a folder or Hub repository.

    Raises:
        ModelError: There is none, or it is another kind of model.
    """
    from transformers import AutoConfig

    from cube_model.configuration_cube import CubeConfig
    from cube_model.modeling_cube import CubeModel

    if not Path(model).is_dir() and str(model).count("/") != 1:
        raise ModelError(f"{model}: no such folder; give one that training wrote, or a Hub repository like org/name")
    try:
        with quiet_transformers():
            config = AutoConfig.from_pretrained(model, revision=revision or "main")
            if not isinstance(config, CubeConfig):
                raise ModelError(
                    f"{model}: a {config.model_type} model, not a cube core; make one with cube_model.train"
                )
            # with the report it gives a pair, which its annotation does not know
            loaded: Any = CubeModel.from_pretrained(
                model, revision=revision or "main", config=config, output_loading_info=True
            )
    except ModelError:
        raise
    except Exception as error:  # transformers and the Hub raise a dozen types for "not there" and "not readable"
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"{model}: not a trained core ({lines[0][:200]}); give a folder that training wrote"
        ) from error
    core, report = loaded
    # transformers fills what is missing with fresh numbers and drops what it does not know: it would only look trained
    kinds = ("missing_keys", "unexpected_keys", "mismatched_keys")
    wrong = sorted({str(name) for kind in kinds for name in report[kind]})
    if wrong:
        raise ModelError(f"{model}: weights do not fit the model ({', '.join(wrong)[:200]}); train it again")
    return core.eval()


def teacher_of(model: CubeModel, teacher: str | None = None, device: str | None = None) -> Teacher:
    """The teacher that a core was trained with.

    Args:
        model: The core.
        teacher: Where to find it, when the recorded name does not lead there on this machine.
        device: Torch device.

    Raises:
        ModelError: It cannot be found, or its vectors would not be those that the core was trained on.
    """
    recorded = model.config.teacher
    if not recorded:
        raise ModelError("the core does not say which teacher it was trained with; train it with cube_model.train")
    try:
        found = Teacher.load(
            teacher or recorded["name"],
            recorded["dtype"],
            device,
            pooling=recorded["pooling"],
            prefix=recorded["prefix"],
        )
    except ModelError as error:
        raise ModelError(f"{error} (the core was trained with it; --teacher names another place to find it)") from error
    if found.fingerprint != recorded["fingerprint"]:
        raise ModelError(
            f"teacher {found.name} (fingerprint {found.fingerprint[:12]}) is not the one the core was trained with: "
            f"{recorded['name']} (fingerprint {recorded['fingerprint'][:12]}); pass that one with --teacher"
        )
    return found


class CubeRetriever:
    """Exact search over the distinct system answers of a corpus.

    Args:
        model: A trained core.
        teacher: Its teacher.
        answers: (text, source, licence) of each of m answers.
        vectors: float32 `[m, d]`, the teacher's vectors of their texts.
    """

    def __init__(
        self,
        model: CubeModel,
        teacher: Teacher,
        answers: Sequence[tuple[str, str, str]],
        vectors: np.ndarray,
    ) -> None:
        import torch

        self.model, self.teacher, self.answers = model.eval(), teacher, list(answers)
        parts = []
        with torch.inference_mode():
            for start in range(0, len(vectors), 4096):
                given = torch.from_numpy(vectors[start : start + 4096]).to(model.device, model.dtype)
                parts.append(model.encode_answers(given).float().cpu().numpy())
        self._index = normalize(np.concatenate(parts))

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str],
        data: str | os.PathLike[str],
        *,
        teacher: str | None = None,
        sources: Sequence[str] | None = None,
        splits: Sequence[str] | None = None,
        max_answers: int | None = None,
        cache: EmbeddingCache | None = None,
        revision: str | None = None,
        progress: bool = False,
    ) -> CubeRetriever:
        """Load a core and index the answers of a dataset.

        Args:
            model: Folder or Hub repository of a trained core.
            data: Folder made by `dialogue-cube build`, or Hub dataset repository.
            teacher: Where to find the core's teacher, when its recorded name does not lead there.
            sources: Corpora whose answers are searched; all when not given.
            splits: Splits whose answers are searched; all when not given.
            max_answers: At most so many answers, a seeded choice; encoding all of a large corpus takes minutes once.
            cache: Embedding cache; the default one when not given.
            revision: Branch, tag or commit of the core's repository.
            progress: Show a progress bar while answers are encoded.

        Raises:
            ModelError: Something is missing, or the teacher is not the one the core was trained with.
        """
        core = load_core(model, revision)
        found = teacher_of(core, teacher)
        answers = distinct_answers(data, sources, splits)
        if max_answers is not None and max_answers < len(answers):
            chosen = np.sort(np.random.default_rng(0).choice(len(answers), size=max_answers, replace=False))
            answers = [answers[i] for i in chosen]
        vectors = (cache or EmbeddingCache()).embed(found, [text for text, _, _ in answers], progress=progress)
        return cls(core, found, answers, vectors)

    def ask(self, question: str, context: Sequence[str] = (), k: int = 5) -> list[Answer]:
        """The k best answers, best first.

        Args:
            question: The user's turn.
            context: Turns before it, oldest first; the core reads the last `context_turns` of them.
            k: Answers wanted.

        Raises:
            ModelError: The question is empty or k is less than 1.
        """
        import torch

        if not question.strip():
            raise ModelError("the question is empty")
        if k < 1:
            raise ModelError(f"k is {k}: expected at least 1")
        turns = [question, *reversed(context)][: 1 + self.model.config.context_turns]
        with torch.inference_mode():
            given = torch.from_numpy(self.teacher.encode(turns))[None].to(self.model.device, self.model.dtype)
            mapped = self.model.encode_questions(given).float().cpu().numpy()
        scores = self._index @ normalize(mapped)[0]
        best = np.argsort(-scores, kind="stable")[:k]
        return [Answer(float(scores[i]), *self.answers[i]) for i in best]
