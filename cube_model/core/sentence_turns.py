"""The module with which sentence-transformers opens an encoder of turns: turns in, one vector out.

Uploaded with the weights, so it imports nothing from this project except the files uploaded with it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers.base.modules import InputModule
from transformers import AutoTokenizer

from .modeling_turns import TurnsModel, rows_of
from .turns_cube import distinct_turns, tokens_of, turns_of

CODE = (
    *("sentence_turns", "modeling_turns", "configuration_turns", "composers", "turns_cube", "pooling"),
    *("modeling_cube", "configuration_cube"),
)
"""Modules beside the weights that this one needs."""


class TurnsText(InputModule):
    """Turn questions, with earlier turns, and answers into vectors of norm 1.

    `encode_query` and `encode` encode questions, `encode_document` answers. A question is

    - a list of turns within the list of inputs, oldest first and the question last;
    - a list of messages with `role` and `content`, in the same order;
    - one text: the question alone, or with its earlier turns behind it, most recent first, and the recorded separator
      between them, as encoders of one joined text read it.

    In a chat, `conversation` encodes each utterance once.

    Args:
        model: Encoder and composer.
        tokenizer: Tokenizer of the encoder.
    """

    forward_kwargs: set[str] = {"task"}  # noqa: RUF012  (as the base class declares it)

    def __init__(self, model: TurnsModel, tokenizer: Any) -> None:
        super().__init__()
        self.model, self.tokenizer = model, tokenizer
        self.max_seq_length = int(model.config.max_length)

    @property
    def auto_model(self) -> Any:
        """The text encoder."""
        return self.model.encoder

    @property
    def modalities(self) -> list[Any]:
        """Kinds of input: texts and conversations."""
        return ["text", "message"]

    def preprocess(
        self, inputs: Sequence[Any], prompt: str | None = None, task: str | None = None, **kwargs: Any
    ) -> dict[str, torch.Tensor | Any]:
        """Tokenise a batch; each distinct turn is encoded once.

        Args:
            inputs: n questions, or answers.
            prompt: Text prepended to every turn. Default: the recorded prefix.
            task: `"document"` for answers, which are texts; any other value for questions.
            kwargs: Ignored.

        Returns:
            `input_ids` and `attention_mask` `[texts, width]`, and `turns` `[n, 1 + context_turns]` (of answers: `[n,
            1]`), rows of the texts; -1 for a missing turn.

        Raises:
            ValueError: An input is neither a text nor turns, or an answer has more than one turn.
        """
        config, answers = self.model.config, task == "document"
        rows = [self._latest_first(item, split=not answers) for item in inputs]
        if answers and any(len(row) > 1 for row in rows):
            raise ValueError("an answer is one text, not several turns")
        texts, turns = distinct_turns(rows, 1 if answers else 1 + config.context_turns)
        prefix = prompt or config.prefix
        texts = [prefix + (text.lower() if config.lowercase else text) for text in texts]
        return {**tokens_of(self.tokenizer, texts, self.max_seq_length), "turns": turns}

    def _latest_first(self, item: Any, *, split: bool) -> list[str]:
        if isinstance(item, str):
            return item.split(self.model.config.turn_separator) if split else [item]
        return turns_of(item)[::-1]

    def forward(self, features: dict[str, Any], task: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """Add `sentence_embedding` to the features: float32 `[n, d]`; without `turns`, vectors of the texts to compose.

        Args:
            features: The batch of `preprocess`, on the device of the model.
            task: As for `preprocess`.
            kwargs: Ignored.
        """
        vectors = self.model.encode_texts(features["input_ids"], features["attention_mask"])
        if "turns" in features:
            turns = rows_of(vectors, features["turns"])
            vectors = self.model.answers(turns[:, 0]) if task == "document" else self.model.compose(turns)
        features["sentence_embedding"] = vectors
        return features

    def conversation(self) -> Conversation:
        """Start a chat whose utterances are encoded once each."""
        return Conversation(self)

    def get_embedding_dimension(self) -> int:
        """Dimension of the vectors."""
        return int(self.model.config.embedding_dim)

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Save encoder, composer and tokenizer, with their code."""
        self.model.save_pretrained(output_path)
        self.save_tokenizer(output_path)
        for name in CODE:
            shutil.copy(Path(__file__).with_name(f"{name}.py"), output_path)

    @classmethod
    def load(
        cls,
        model_name_or_path: str,
        subfolder: str = "",
        token: bool | str | None = None,
        cache_folder: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        init_defaults: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> TurnsText:
        """Load the module from a folder or Hub repository."""
        origin: dict[str, Any] = {"token": token, "cache_dir": cache_folder, "local_files_only": local_files_only}
        origin |= {"revision": revision or "main", "subfolder": subfolder}
        tokenizer = AutoTokenizer.from_pretrained(model_name_or_path, trust_remote_code=False, **origin)
        return cls(TurnsModel.from_pretrained(model_name_or_path, **origin), tokenizer)


class Conversation:
    """The turns of a chat so far: each is encoded when it is added, and never again.

    Args:
        module: Encoder of turns.

    Example:
        >>> chat = SentenceTransformer("my-encoder", trust_remote_code=True)[0].conversation()
        >>> chat.add("I need a hotel.").shape
        (1, 384)
        >>> chat.add("In which part of town?", "In the north.").shape
        (2, 384)
        >>> chat.vector().shape
        (384,)
    """

    def __init__(self, module: TurnsText) -> None:
        self._module = module
        self._turns: list[torch.Tensor] = []

    @torch.inference_mode()
    def add(self, *turns: str | np.ndarray) -> np.ndarray:
        """Add the next turns, oldest first; their texts are encoded together.

        Args:
            turns: n texts, or vectors `[d]` of texts that were encoded before, for example for an index of answers.

        Returns:
            The vector of each turn, before they are combined, float32 `[n, d]`, to keep in place of the texts.
        """
        model, texts = self._module.model, [turn for turn in turns if isinstance(turn, str)]
        encoded: Iterator[torch.Tensor] = iter(())
        if texts:
            features = self._module.preprocess([[text] for text in texts])
            on_device = (features[name].to(model.device) for name in ("input_ids", "attention_mask"))
            encoded = iter(rows_of(model.encode_texts(*on_device), features["turns"][:, 0]))
        for turn in turns:
            vector = next(encoded) if isinstance(turn, str) else torch.as_tensor(turn).to(model.device, torch.float32)
            self._turns = [vector, *self._turns]
        added = torch.stack(self._turns[: len(turns)][::-1]) if turns else torch.empty(0, model.config.embedding_dim)
        self._turns = self._turns[: 1 + model.config.context_turns]
        return added.cpu().numpy()

    @torch.inference_mode()
    def vector(self) -> np.ndarray:
        """Return the vector of the last turn in its context, float32 `[d]`, of norm 1.

        Raises:
            ValueError: There is no turn yet.
        """
        if not self._turns:
            raise ValueError("the conversation has no turn yet: add one")
        return self._module.model.compose(torch.stack(self._turns)[None])[0].cpu().numpy()
