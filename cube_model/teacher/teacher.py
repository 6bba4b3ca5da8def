"""The frozen teacher: any pretrained text encoder with its pooling, prefix, length limit and fingerprint.

>>> from cube_model import Teacher
>>> teacher = Teacher.load("minilm")
>>> teacher.encode(["I need a table for two."]).shape
(1, 384)
>>> Teacher.load("llama2", "auto", fallback=["mpnet", "minilm"]).name  # with a warning if llama2 is unavailable
'mpnet'
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.core.pooling import POOLINGS, pool
from cube_model.errors import ModelError
from cube_model.machine import default_device, has_native_bfloat16
from cube_model.teacher.find import KNOWN_TEACHERS, TeacherUnavailableError, find_teacher, first_line
from cube_model.teacher.fingerprint import fingerprint, weights_sha256
from cube_model.teacher.quiet import quiet_transformers
from cube_model.teacher.sentence_files import read_sentence_files
from cube_model.teacher.trained_files import check_trained

if TYPE_CHECKING:
    from cube_model.core.modeling_turns import TurnsModel

DTYPES = ("float32", "bfloat16", "float16", "auto")

_LENGTH_CAP = 512
"""Default maximum number of tokens per text: turns are short, and causal models allow many thousands."""

_BATCH_TOKENS, _BATCH_TOKENS_CPU = 8192, 1024
"""Padded tokens per batch. On a processor, a small batch stays in its cache: .7 to .8 of the time."""

_WINDOW = 1 << 16
"""Texts tokenised at a time: bounds the memory for token ids, yet sorting by length still leaves little padding."""


class Teacher:
    """A frozen text encoder: texts in, float32 embeddings out. Create one with `Teacher.load`.

    Attributes:
        name: Short name, Hub repository or folder name; never a local path, as it is recorded in uploaded files.
        dimension: Dimension of the embeddings.
        parameters: Number of weights.
        pooling: `"mean"`, `"cls"` or `"last"`.
        prefix: Text prepended to every text.
        normalize: Whether embeddings are scaled to norm 1.
        lowercase: Whether texts are converted to lower case first.
        max_length: Maximum number of tokens per text.
        dtype: `"float32"`, `"bfloat16"` or `"float16"`.
        fallback_from: Preferred teachers that were unavailable.
        repo: Hub repository with the weights; None for a local folder without a short name.
        revision: Commit of that repository: the downloaded one, or that of the short name.
        composed: The model that composes the vectors of turns, of which this is the encoder; None for other encoders.
        fingerprint: sha256 over weights, model configuration, tokenizer and the settings above except the names. Equal
            fingerprints mean equal embeddings.

    Example:
        >>> teacher = Teacher.load("minilm")
        >>> teacher.encode(["Is there a gym?", "Do you have parking?"]).shape
        (2, 384)
    """

    def __init__(
        self,
        name: str,
        model: Any,
        tokenizer: Any,
        *,
        weights: str,
        pooling: str,
        prefix: str,
        normalize: bool,
        lowercase: bool,
        max_length: int,
        dtype: str,
        repo: str | None = None,
        revision: str | None = None,
        composed: TurnsModel | None = None,
    ) -> None:
        self.name, self.weights_sha256, self.repo, self.revision = name, weights, repo, revision
        self.pooling, self.prefix, self.normalize = pooling, prefix, normalize
        self.lowercase, self.max_length, self.dtype = lowercase, max_length, dtype
        self.composed = composed
        self.fallback_from: tuple[str, ...] = ()
        self.dimension = int(model.config.get_text_config().hidden_size)
        self.parameters = sum(weight.numel() for weight in model.parameters())
        self._model, self._tokenizer = model, tokenizer
        self.fingerprint = fingerprint(weights, tokenizer, self._settings())

    @classmethod
    def load(
        cls,
        name: str | os.PathLike[str],
        dtype: str = "float32",
        device: str | None = None,
        *,
        pooling: str | None = None,
        prefix: str | None = None,
        normalize: bool | None = None,
        max_length: int | None = None,
        revision: str | None = None,
        dimension: int | None = None,
        fallback: Sequence[str | os.PathLike[str]] = (),
    ) -> Teacher:
        """Load a teacher.

        Arguments override the model's own sentence-transformers files. Without either, the teacher uses mean pooling,
        no prefix and norm 1.

        Args:
            name: Short name from `KNOWN_TEACHERS`, local folder, or Hub repository.
            dtype: `"float32"`, `"bfloat16"`, `"float16"`, or `"auto"` for bfloat16 where the device supports it
                natively and float32 elsewhere.
            device: Torch device. Default: the first accelerator, otherwise the processor.
            pooling: `"mean"`, `"cls"` (first token) or `"last"` (last token).
            prefix: Text prepended to every text.
            normalize: Whether to scale embeddings to norm 1.
            max_length: Maximum number of tokens per text, capped by the model's number of positions.
            revision: Branch, tag or commit of the Hub repository `name`.
            dimension: Dimension that the teacher must have; a repository of another one is not downloaded.
            fallback: Teachers to try, in this order, if `name` is unavailable. Using one of them raises a warning and
                is recorded in `describe()`.

        Raises:
            TeacherUnavailableError: Neither the teacher nor a fallback is available; the message says what to do.
            ModelError: An available teacher cannot be read or has another dimension, or an argument is invalid.
        """
        _check("dtype", dtype, DTYPES)
        if pooling is not None:
            _check("pooling", pooling, POOLINGS)
        options = {"pooling": pooling, "prefix": prefix, "normalize": normalize, "max_length": max_length}
        failed: list[tuple[str, TeacherUnavailableError]] = []
        for candidate in (name, *([fallback] if isinstance(fallback, str | os.PathLike) else fallback)):
            try:
                teacher = cls._load(str(candidate), dtype, device, None if failed else revision, dimension, options)
            except TeacherUnavailableError as error:
                failed.append((Path(candidate).name if Path(candidate).is_absolute() else str(candidate), error))
                continue
            teacher.fallback_from = tuple(unavailable for unavailable, _ in failed)
            for _, reason in failed:
                warnings.warn(f"{reason}. Using {teacher.name} instead.", stacklevel=2)
            return teacher
        raise failed[0][1] if len(failed) == 1 else TeacherUnavailableError("; ".join(str(e) for _, e in failed))

    @classmethod
    def _load(
        cls,
        name: str,
        dtype: str,
        device: str | None,
        revision: str | None,
        dimension: int | None,
        options: dict[str, Any],
    ) -> Teacher:
        preset = KNOWN_TEACHERS.get(name)
        folder, recorded_name, commit = find_teacher(name, revision, dimension)
        check_trained(folder)
        own = read_sentence_files(folder)
        import torch  # only now, so that an unavailable teacher fails without waiting for the import

        from cube_model.core.static_cube import load_encoder

        device = device or default_device()
        if dtype == "auto":
            dtype = "bfloat16" if has_native_bfloat16(device) else "float32"
        try:
            with quiet_transformers():
                model, tokenizer = load_encoder(own.folder, getattr(torch, dtype))
                weights = weights_sha256(own.folder)
        except Exception as error:  # transformers raises a dozen exception types for unreadable folders
            raise ModelError(f"teacher {name}: cannot read {own.folder}: {first_line(error)}") from error
        try:
            model = model.to(device)
        except (RuntimeError, AssertionError) as error:  # no such device, or not enough memory on it
            raise ModelError(f"teacher {name}: device {device} cannot be used: {first_line(error)}") from error
        model.eval().requires_grad_(False)
        composed = model if model.config.model_type == "dialogue-turns" else None
        model = model if composed is None else composed.encoder
        max_length = options["max_length"] or own.max_length or _LENGTH_CAP
        prefixes = (options["prefix"], own.prefix, preset.prefix if preset else "")
        return cls(
            recorded_name,
            model,
            tokenizer,
            weights=weights,
            pooling=options["pooling"] or own.pooling or "mean",
            prefix=next(p for p in prefixes if p is not None),
            normalize=next(n for n in (options["normalize"], own.normalize, True) if n is not None),
            lowercase=own.lowercase,
            max_length=min(max_length, _positions(model), int(tokenizer.model_max_length)),
            dtype=dtype,
            repo=preset.repo if preset else recorded_name if commit else None,
            revision=commit or (preset.revision if preset else None),
            composed=composed,
        )

    def _settings(self) -> dict[str, Any]:
        return {
            "pooling": self.pooling,
            "prefix": self.prefix,
            "normalize": self.normalize,
            "lowercase": self.lowercase,
            "max_length": self.max_length,
            "dtype": self.dtype,
        }

    def describe(self) -> dict[str, Any]:
        """Return what a trained core records: enough to load the same teacher again and to verify it."""
        return {
            "name": self.name,
            "repo": self.repo,
            "revision": self.revision,
            "dimension": self.dimension,
            **self._settings(),
            "weights_sha256": self.weights_sha256,
            "fingerprint": self.fingerprint,
            "fallback_from": list(self.fallback_from),
        }

    def fingerprint_in(self, dtype: str) -> str:
        """Return the fingerprint that the same teacher has in another precision, such as the recorded one."""
        return fingerprint(self.weights_sha256, self._tokenizer, {**self._settings(), "dtype": dtype})

    @property
    def turn_separator(self) -> str:
        """Separator between a question and its context when they are joined into one text."""
        return turn_separator(self._tokenizer)

    def encode(
        self,
        texts: Sequence[str],
        *,
        batch_tokens: int | None = None,
        advance: Callable[[int], object] | None = None,
    ) -> np.ndarray:
        """Encode texts in their order; duplicates are computed once.

        Args:
            texts: n texts.
            batch_tokens: Maximum number of padded tokens per batch. Default: one that is fast on the device.
            advance: Progress callback, called with the number of distinct texts encoded since its last call; see
                `encoding_progress`.

        Returns:
            Embeddings, float32 `[n, dimension]`, with norm 1 if `normalize`.
        """
        batch_tokens = batch_tokens or (_BATCH_TOKENS_CPU if self._model.device.type == "cpu" else _BATCH_TOKENS)
        distinct = list(dict.fromkeys(texts))
        vectors = np.zeros((len(distinct), self.dimension), dtype=np.float32)
        for start in range(0, len(distinct), _WINDOW):
            for rows, batch in self._batches(distinct[start : start + _WINDOW], batch_tokens):
                vectors[start + rows] = self._forward(batch)
                if advance:
                    advance(len(rows))
        if len(distinct) == len(texts):
            return vectors
        position = {text: i for i, text in enumerate(distinct)}
        return vectors[[position[text] for text in texts]]

    def _batches(self, texts: list[str], batch_tokens: int) -> Iterator[tuple[np.ndarray, list[list[int]]]]:
        """Yield the row numbers and token ids of each batch."""
        encoded = self._tokenizer(
            [self.prefix + (text.lower() if self.lowercase else text) for text in texts],
            truncation=True,
            max_length=self.max_length,
            padding=False,
        )["input_ids"]
        # a tokenizer without special tokens returns no tokens for "", but pooling needs at least one
        ids = [tokens or [self._tokenizer.eos_token_id or 0] for tokens in encoded]
        for rows in length_batches([len(tokens) for tokens in ids], batch_tokens):
            yield rows, [ids[i] for i in rows]

    def _forward(self, batch: list[list[int]]) -> np.ndarray:
        """Encode one batch of token id lists.

        Padding is always on the right, regardless of the tokenizer: real tokens of a causal model then never attend
        to it, and absolute positions start at 0. Padding is masked, so a model without a padding token can use any id.
        """
        import torch

        device = self._model.device
        lengths = torch.tensor([len(tokens) for tokens in batch], device=device)
        width = int(lengths.max())
        pad = self._tokenizer.pad_token_id or 0
        ids = torch.tensor([tokens + [pad] * (width - len(tokens)) for tokens in batch], device=device)
        mask = torch.arange(width, device=device)[None, :] < lengths[:, None]
        with torch.inference_mode():
            states = self._model(input_ids=ids, attention_mask=mask.long()).last_hidden_state.float()
            return pool(states, mask, self.pooling, self.normalize).cpu().numpy()


def turn_separator(tokenizer: Any) -> str:
    """Return the separator between a question and its context: the tokenizer's own, or a newline."""
    separator = getattr(tokenizer, "sep_token", None)
    return f" {separator} " if separator else "\n"


def _positions(model: Any) -> int:
    """Return the maximum number of tokens that the model's position embeddings allow."""
    import torch

    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None) or _LENGTH_CAP
    for name, module in model.named_modules():
        # RoBERTa and MPNet number positions from the padding token's id plus 1
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding) and module.padding_idx:
            return int(limit) - module.padding_idx - 1
    return int(limit)


def _check(option: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ModelError(f"teacher {option} {value!r}: expected one of {', '.join(allowed)}")


def length_batches(lengths: Sequence[int], budget: int) -> Iterator[np.ndarray]:
    """Batch texts by length and yield the row numbers of each batch, shortest texts first.

    Args:
        lengths: Number of tokens in each text.
        budget: Maximum number of tokens per batch including padding; a single text may exceed it.
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and lengths[order[stop]] * (stop + 1 - start) <= budget:
            stop += 1
        yield order[start:stop]
        start = stop
