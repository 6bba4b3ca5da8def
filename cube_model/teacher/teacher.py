"""The frozen teacher: any pretrained text encoder, its own pooling, prefix and length limit, and a fingerprint.

>>> from cube_model import Teacher
>>> teacher = Teacher.load("minilm")
>>> teacher.encode(["I need a table for two."]).shape
(1, 384)
>>> Teacher.load("llama2", "auto", fallback=["mpnet", "minilm"]).name  # with a warning where llama2 cannot be had
'mpnet'
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cube_model._quiet import quiet_transformers
from cube_model.core.pooling import POOLINGS, pool
from cube_model.errors import ModelError
from cube_model.machine import default_device, has_native_bfloat16
from cube_model.teacher.find import KNOWN_TEACHERS, TeacherUnavailableError, find_teacher, first_line
from cube_model.teacher.fingerprint import fingerprint, weights_sha256
from cube_model.teacher.sentence_files import read_sentence_files

DTYPES = ("float32", "bfloat16", "float16", "auto")

_LENGTH_CAP = 512
"""Tokens read of one text unless told otherwise: turns are short, and causal models state limits of many thousands."""

_BATCH_TOKENS = 8192
"""Padded tokens of one batch; larger batches were not faster on a processor and cost memory."""

_WINDOW = 1 << 16
"""Texts tokenised at a time: bounds the memory for token ids, and sorting by length still leaves little padding."""


class Teacher:
    """A frozen encoder: texts in, float32 vectors out. Make one with `Teacher.load`.

    Attributes:
        name: Short name, Hub repository or folder name (never a local path: it is recorded in uploaded files).
        dimension: Length of a vector.
        parameters: Number of weights.
        pooling: `"mean"`, `"cls"` or `"last"`.
        prefix: Put before every text.
        normalize: Vectors have length 1.
        lowercase: Texts are put in lower case first.
        max_length: Tokens read of one text.
        dtype: `"float32"`, `"bfloat16"` or `"float16"`.
        fallback_from: Teachers that were wanted before this one and could not be had.
        fingerprint: Equal for teachers that give equal vectors: sha256 over weights, configuration, tokenizer and all
            of the settings above but the names.
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
    ) -> None:
        self.name, self.weights_sha256 = name, weights
        self.pooling, self.prefix, self.normalize = pooling, prefix, normalize
        self.lowercase, self.max_length, self.dtype = lowercase, max_length, dtype
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
        fallback: Sequence[str | os.PathLike[str]] = (),
    ) -> Teacher:
        """Load a teacher.

        What the model's own sentence-transformers files say holds, unless an argument overrides it; where they say
        nothing it is the mean, no prefix, length 1.

        Args:
            name: A short name of `KNOWN_TEACHERS`, a local folder, or a Hub repository.
            dtype: `"float32"`, `"bfloat16"`, `"float16"`, or `"auto"`: bfloat16 where the processor computes in it
                natively, else float32.
            device: Torch device; the first accelerator when not given, else the processor.
            pooling: `"mean"`, `"cls"` (first token) or `"last"` (last token).
            prefix: Text put before every text.
            normalize: Scale vectors to length 1.
            max_length: Tokens read of one text, at most what the model has positions for.
            revision: Branch, tag or commit of the Hub repository `name`.
            fallback: Teachers to take, in this order, when `name` cannot be had; said in a warning and recorded in
                `describe()`.

        Raises:
            TeacherUnavailableError: None of them can be had; a `ModelError` whose message says what to do.
            ModelError: A teacher that is there cannot be read, or an argument is wrong.
        """
        _check("dtype", dtype, DTYPES)
        if pooling is not None:
            _check("pooling", pooling, POOLINGS)
        options = {"pooling": pooling, "prefix": prefix, "normalize": normalize, "max_length": max_length}
        failed: list[tuple[str, TeacherUnavailableError]] = []
        for each in (name, *([fallback] if isinstance(fallback, str | os.PathLike) else fallback)):
            try:
                teacher = cls._load(str(each), dtype, device, None if failed else revision, options)
            except TeacherUnavailableError as error:
                failed.append((Path(each).name if Path(each).is_absolute() else str(each), error))
                continue
            teacher.fallback_from = tuple(wanted for wanted, _ in failed)
            for _, reason in failed:
                warnings.warn(f"{reason}. Taking {teacher.name} in its place.", stacklevel=2)
            return teacher
        raise failed[0][1] if len(failed) == 1 else TeacherUnavailableError("; ".join(str(e) for _, e in failed))

    @classmethod
    def _load(cls, name: str, dtype: str, device: str | None, revision: str | None, options: dict[str, Any]) -> Teacher:
        known = KNOWN_TEACHERS.get(name)
        found, shown = find_teacher(name, revision)
        own = read_sentence_files(found)
        import torch  # only now: a teacher that is not there is told at once
        from transformers import AutoModel, AutoTokenizer

        device = device or default_device()
        if dtype == "auto":
            dtype = "bfloat16" if has_native_bfloat16(device) else "float32"
        try:
            with quiet_transformers():
                tokenizer = AutoTokenizer.from_pretrained(own.folder, local_files_only=True)
                model = AutoModel.from_pretrained(own.folder, local_files_only=True, dtype=getattr(torch, dtype))
                weights = weights_sha256(own.folder)
        except Exception as error:  # transformers raises a dozen types for a folder that it cannot read
            raise ModelError(f"teacher {name}: cannot read {own.folder}: {first_line(error)}") from error
        try:
            model = (model.get_encoder() if model.config.is_encoder_decoder else model).to(device)
        except (RuntimeError, AssertionError) as error:  # no such device, or not enough memory on it
            raise ModelError(f"teacher {name}: device {device} cannot be used: {first_line(error)}") from error
        model.config.use_cache = False  # keys and values are for writing on, which nobody does here
        wanted = options["max_length"] or own.max_length or _LENGTH_CAP
        prefixes = (options["prefix"], own.prefix, known.prefix if known else "")
        return cls(
            shown,
            model.eval().requires_grad_(False),
            tokenizer,
            weights=weights,
            pooling=options["pooling"] or own.pooling or "mean",
            prefix=next(p for p in prefixes if p is not None),
            normalize=next(n for n in (options["normalize"], own.normalize, True) if n is not None),
            lowercase=own.lowercase,
            max_length=min(wanted, _positions(model), int(tokenizer.model_max_length)),
            dtype=dtype,
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
        """What a trained core records: loading the name with these settings gives the same teacher again."""
        return {
            "name": self.name,
            "dimension": self.dimension,
            **self._settings(),
            "weights_sha256": self.weights_sha256,
            "fingerprint": self.fingerprint,
            "fallback_from": list(self.fallback_from),
        }

    @property
    def turn_separator(self) -> str:
        """What stands between a question and its earlier turns where they are given as one text."""
        return turn_separator(self._tokenizer)

    def encode(
        self,
        texts: Sequence[str],
        *,
        batch_tokens: int = _BATCH_TOKENS,
        advance: Callable[[int], object] | None = None,
    ) -> np.ndarray:
        """Encode texts; equal texts are computed once, and the order of `texts` is kept.

        Args:
            texts: n texts.
            batch_tokens: Padded tokens of one batch.
            advance: Called with the number of distinct texts done since its last call (`encoding_progress` gives one).

        Returns:
            float32 `[n, dimension]`, every row of length 1 if `normalize`.
        """
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
        """Row numbers and token ids of each batch."""
        encoded = self._tokenizer(
            [self.prefix + (text.lower() if self.lowercase else text) for text in texts],
            truncation=True,
            max_length=self.max_length,
            padding=False,
        )["input_ids"]
        # a tokenizer without special tokens gives nothing for "": one token, so that pooling has something to read
        ids = [tokens or [self._tokenizer.eos_token_id or 0] for tokens in encoded]
        for rows in length_batches([len(tokens) for tokens in ids], batch_tokens):
            yield rows, [ids[i] for i in rows]

    def _forward(self, batch: list[list[int]]) -> np.ndarray:
        """Vectors of one batch of token id lists.

        Padding is always on the right, whatever the tokenizer prefers: real tokens of a causal model then never see it
        and absolute positions start at 0. Any id does for it where the model has no padding token: it is masked.
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
            pooled = pool(states, mask, self.pooling)
            if self.normalize:
                pooled = torch.nn.functional.normalize(pooled, dim=-1)
            return pooled.cpu().numpy()


def turn_separator(tokenizer: Any) -> str:
    """What stands between a question and its earlier turns: the tokenizer's separator, or a line end."""
    separator = getattr(tokenizer, "sep_token", None)
    return f" {separator} " if separator else "\n"


def _positions(model: Any) -> int:
    """Tokens that the model has positions for."""
    import torch

    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None) or _LENGTH_CAP
    for name, module in model.named_modules():
        # RoBERTa and MPNet count positions from the padding token's id on
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding) and module.padding_idx:
            return int(limit) - module.padding_idx - 1
    return int(limit)


def _check(what: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ModelError(f"teacher {what} {value!r}: expected one of {', '.join(allowed)}")


def length_batches(lengths: Sequence[int], budget: int) -> Iterator[np.ndarray]:
    """Row numbers of each batch, shortest texts first; a batch of n rows with m as the longest costs n * m tokens.

    Args:
        lengths: Tokens of each text.
        budget: Tokens of one batch, padding among them; a single text may be longer.
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and lengths[order[stop]] * (stop + 1 - start) <= budget:
            stop += 1
        yield order[start:stop]
        start = stop
