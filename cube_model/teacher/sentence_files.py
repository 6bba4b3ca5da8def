"""What a model's own sentence-transformers files say about turning token states into a sentence vector."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cube_model.core.pooling import POOLINGS
from cube_model.errors import ModelError

TRANSFORMERS_FILES = (
    *("config.json", "generation_config.json", "model.safetensors", "model.safetensors.index.json"),
    "model-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9].safetensors",
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.txt", "vocab.json", "merges.txt", "spiece.model", "tokenizer.model", "sentencepiece.bpe.model"),
    "chat_template.jinja",
)
"""What `save_pretrained` of models and tokenizers writes."""

SENTENCE_TRANSFORMERS_FILES = (
    *("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"),
    *("[0-9]_*/config.json", "[0-9]_*/model.safetensors"),
)
"""What `SentenceTransformer.save_pretrained` writes beside the encoder."""


@dataclass(frozen=True)
class SentenceFiles:
    """Facts of `modules.json` and the files that it names; None where they are silent.

    Attributes:
        folder: Where the transformer itself lies: older repositories keep it in `0_Transformer`.
        pooling: `"mean"`, `"cls"` or `"last"`.
        prefix: The default prompt.
        max_length: Tokens read of one text.
        normalize: False where vectors keep their length because they are compared by dot product.
        lowercase: Texts are put in lower case first.
    """

    folder: Path
    pooling: str | None = None
    prefix: str | None = None
    max_length: int | None = None
    normalize: bool | None = None
    lowercase: bool = False


def read_sentence_files(folder: Path) -> SentenceFiles:
    """Read them.

    Raises:
        ModelError: A file is damaged, or the model does something that a teacher cannot do; it is named.
    """
    modules = _read_json(folder / "modules.json", list)
    facts = _read_json(folder / "config_sentence_transformers.json", dict)
    default = facts.get("default_prompt_name")
    prefix = (facts.get("prompts") or {}).get(default) if default else None
    if not modules:
        return SentenceFiles(folder, prefix=prefix)
    paths = {module["type"].rsplit(".", 1)[-1]: folder / module["path"] for module in modules}
    if strange := sorted(set(paths) - {"Transformer", "Pooling", "Normalize"}):
        raise ModelError(f"{folder}: the module {strange[0]} of this sentence-transformers model is not supported")
    transformer = paths.get("Transformer", folder)
    pooling = _read_json(paths["Pooling"] / "config.json", dict) if "Pooling" in paths else {}
    if prefix and not pooling.get("include_prompt", True):
        raise ModelError(f"{folder}: pooling without the tokens of the prompt is not supported; pass prefix=''")
    lengths = _read_json(transformer / "sentence_bert_config.json", dict)
    return SentenceFiles(
        transformer,
        pooling=_pooling(pooling, folder) if pooling else None,
        prefix=prefix,
        max_length=lengths.get("max_seq_length"),
        # no Normalize module alone says little: cosine models leave it out, as their comparison divides by the length
        normalize="Normalize" in paths or facts.get("similarity_fn_name") not in ("dot", "dot_score"),
        lowercase=bool(lengths.get("do_lower_case")),
    )


def _pooling(config: dict[str, Any], folder: Path) -> str:
    names = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_lasttoken": "last"}
    if "pooling_mode" in config:  # the form that sentence-transformers writes since version 5.3
        chosen = {"lasttoken": "last"}.get(config["pooling_mode"], config["pooling_mode"])
    else:
        modes = [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
        chosen = "+".join(names.get(mode, mode) for mode in modes)
    if chosen not in POOLINGS:
        raise ModelError(f"{folder}: pooling {chosen!r} is not supported; pass one of {', '.join(POOLINGS)}")
    return chosen


def _read_json(path: Path, kind: type) -> Any:
    """The content of a file; empty where there is no such file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return kind()
    except ValueError as error:
        raise ModelError(f"{path}: not valid JSON ({error}); fetch the teacher again") from error
    if not isinstance(content, kind):
        raise ModelError(f"{path}: expected a JSON {kind.__name__}; fetch the teacher again")
    return content
