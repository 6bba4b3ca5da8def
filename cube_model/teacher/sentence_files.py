"""Read the sentence-transformers files of a model: how it turns token states into an embedding."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cube_model.core.pooling import POOLINGS
from cube_model.errors import ModelError
from dataset_builders.common.reading import Shape, read_json

TRANSFORMERS_FILES = (
    *("config.json", "generation_config.json", "model.safetensors", "model.safetensors.index.json"),
    "model-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9].safetensors",
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.txt", "vocab.json", "merges.txt", "spiece.model", "tokenizer.model", "sentencepiece.bpe.model"),
    "chat_template.jinja",
)
"""Files that `save_pretrained` of models and tokenizers writes."""

SENTENCE_TRANSFORMERS_FILES = (
    *("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"),
    *("[0-9]_*/config.json", "[0-9]_*/model.safetensors"),
)
"""Files that `SentenceTransformer.save_pretrained` adds to those of the encoder."""


_SETTINGS = {"default_prompt_name": str, "prompts": {"*": str}, "similarity_fn_name": str}


@dataclass(frozen=True)
class SentenceFiles:
    """Settings in `modules.json` and the files it refers to; None if the files do not specify a setting.

    Attributes:
        folder: Folder of the transformer; older repositories keep it in `0_Transformer`.
        pooling: `"mean"`, `"cls"` or `"last"`.
        prefix: Default prompt.
        max_length: Maximum number of tokens per text.
        normalize: Whether to scale embeddings to norm 1; False for models whose embeddings are compared by dot product.
        lowercase: Whether to convert texts to lower case first.
    """

    folder: Path
    pooling: str | None = None
    prefix: str | None = None
    max_length: int | None = None
    normalize: bool | None = None
    lowercase: bool = False


def read_sentence_files(folder: Path) -> SentenceFiles:
    """Read the sentence-transformers files of a model folder, if it has any.

    Raises:
        ModelError: A file is damaged, or the model has a module or pooling that a teacher does not support.
    """
    modules = _read_json(folder / "modules.json", [{"type!": str, "path!": str}], [])
    config = _read_json(folder / "config_sentence_transformers.json", _SETTINGS, {})
    default = config.get("default_prompt_name")
    prefix = (config.get("prompts") or {}).get(default) if default else None
    if not modules:
        return SentenceFiles(folder, prefix=prefix)
    paths = {module["type"].rsplit(".", 1)[-1]: folder / module["path"] for module in modules}
    if set(paths) == {"TurnsText"}:
        settings = _read_json(folder / "config.json", dict, {})
        names = ("pooling", "prefix", "max_length", "normalize", "lowercase")
        return SentenceFiles(folder, **{name: settings[name] for name in names if name in settings})
    if unsupported := sorted(set(paths) - {"Transformer", "Pooling", "Normalize", "StaticEmbedding"}):
        raise ModelError(f"{folder}: the module {unsupported[0]} of this sentence-transformers model is not supported")
    transformer = paths.get("Transformer", paths.get("StaticEmbedding", folder))
    pooling = _read_json(paths["Pooling"] / "config.json", {"pooling_mode": str}, {}) if "Pooling" in paths else {}
    if prefix and not pooling.get("include_prompt", True):
        raise ModelError(f"{folder}: pooling that excludes the prompt tokens is not supported; pass prefix=''")
    limits = _read_json(transformer / "sentence_bert_config.json", {"max_seq_length": int}, {})
    return SentenceFiles(
        transformer,
        pooling=_pooling(pooling, folder) if pooling else None,
        prefix=prefix,
        max_length=limits.get("max_seq_length"),
        # a missing Normalize module proves nothing: cosine divides by the norm, so cosine models may omit the module
        normalize="Normalize" in paths or config.get("similarity_fn_name") not in ("dot", "dot_score"),
        lowercase=bool(limits.get("do_lower_case")),
    )


def _pooling(config: dict[str, Any], folder: Path) -> str:
    names = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_lasttoken": "last"}
    if "pooling_mode" in config:  # format of sentence-transformers 5.3 and later
        pooling = {"lasttoken": "last"}.get(config["pooling_mode"], config["pooling_mode"])
    else:
        modes = [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
        pooling = "+".join(names.get(mode, mode) for mode in modes)
    if pooling not in POOLINGS:
        raise ModelError(f"{folder}: pooling {pooling!r} is not supported; pass one of {', '.join(POOLINGS)}")
    return pooling


def _read_json(path: Path, shape: Shape, empty: Any) -> Any:
    """Read a JSON file of the expected form; return `empty` if it does not exist."""
    return read_json(path, "download the teacher again", shape, error=ModelError) if path.is_file() else empty
