"""A trained core with its teacher as one folder that sentence-transformers opens, without this package.

>>> export_sentence_transformer("my-core", "my-embedder")

>>> model = SentenceTransformer("my-embedder", trust_remote_code=True)
>>> model.similarity(model.encode_query(["Is there a cheap hotel?"]), model.encode_document(answers))
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cube_model.errors import ModelError
from cube_model.teacher.sentence_files import SENTENCE_TRANSFORMERS_FILES, TRANSFORMERS_FILES
from dataset_builders.common.files import needs_room
from dataset_builders.common.outputs import Output, OutputKind

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel
    from cube_model.teacher.teacher import Teacher

_SIDES = "1_CubeSides"
_MODULE = "sentence_transformer_module"
_CODE = (_MODULE, "pooling", "modeling_cube", "configuration_cube")
"""Files of this package that are copied: they import nothing but each other and libraries."""

EXPORT = OutputKind(
    "`dialogue-cube export`",
    "--output",
    lambda folder: (folder / _SIDES).is_dir(),
    (
        *TRANSFORMERS_FILES,
        *SENTENCE_TRANSFORMERS_FILES,
        *("README.md", f"{_SIDES}/pooling.json", *(f"{module}.py" for module in _CODE)),
    ),
    error=ModelError,
)
"""What an export may replace."""

_CARD = """\
---
library_name: sentence-transformers
tags: [sentence-transformers, feature-extraction, dialogue, response-selection]
---

# {teacher} with a 3D cubic core

Vectors of questions that lie near the vectors of their answers. `encode_query` maps a question through the core,
`encode_document` an answer; both have length 1.

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{name}", trust_remote_code=True)  # the code lies in this folder: read it first
scores = model.similarity(model.encode_query(["Is it open on Sunday?"]), model.encode_document(["Yes, until six."]))
```

- The weights of {teacher} lie in this folder, under the licence of its owner; prefix `{prefix}`, precision {dtype}.
- A question is read by itself{context}.
"""


def export(
    model: Annotated[str, typer.Option(help="Trained core: folder or Hub repository.")],
    output: Annotated[Path, typer.Option(help="Folder to write.")],
    teacher: Annotated[str | None, typer.Option(help="Where to find the core's teacher, if not by its name.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier export.")] = False,
) -> None:
    """Write core and teacher as one folder for SentenceTransformer(folder, trust_remote_code=True)."""
    export_sentence_transformer(model, output, teacher=teacher, overwrite=overwrite)
    typer.echo(f'{output}: open it with SentenceTransformer("{output}", trust_remote_code=True)')


def export_sentence_transformer(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    teacher: str | None = None,
    overwrite: bool = False,
    revision: str | None = None,
) -> Path:
    """Write a folder with the teacher, the core, and the code that joins them; whole or not there.

    Its vectors are those of `CubeRetriever` but for rounding: questions without earlier turns, and answers.

    Args:
        model: Folder or Hub repository of a trained core.
        output: Folder to make.
        teacher: Where to find the core's teacher, when its recorded name does not lead there.
        overwrite: Replace an earlier export.
        revision: Branch, tag or commit of the core's repository.

    Returns:
        The folder.

    Raises:
        ModelError: Core or teacher cannot be had, or the folder must not be replaced or cannot be written.
    """
    from cube_model.inference.loading import load_core, teacher_of

    target = Output(output, EXPORT, overwrite=overwrite)
    target.check()
    core = load_core(model, revision)
    if core.config.mode == "autoencoder":
        raise ModelError(f"{model}: an autoencoder has no question and answer sides; export a dialogue core")
    found = teacher_of(core, teacher, "cpu")
    try:
        with target.claimed(), needs_room(target.place, "export again", ModelError):
            target.new.mkdir()
            _write(target.new, core, found, target.place.name)
            return target.put()
    except OSError as error:
        raise ModelError(f"{target.place}: cannot be written ({error.strerror or error})") from error


def _write(folder: Path, core: CubeModel, teacher: Teacher, name: str) -> None:
    import torch

    from cube_model._quiet import quiet_transformers

    encoder, tokenizer = teacher._model, teacher._tokenizer
    # no pooling reads a pooler; a checkpoint without one has random numbers there
    weights = {
        name: torch.zeros_like(weight) if name.startswith("pooler.") else weight
        for name, weight in encoder.state_dict().items()
    }
    with quiet_transformers():
        encoder.save_pretrained(folder, state_dict=weights)
        tokenizer.save_pretrained(folder)
        core.save_pretrained(folder / _SIDES)
    for code in (folder / _SIDES).glob("*.py"):  # what `save_pretrained` copied; libraries look for code in the root
        code.unlink()
    core_room = Path(__file__).parents[1] / "core"
    for module in _CODE:
        shutil.copy(core_room / f"{module}.py", folder)
    _json(folder / _SIDES / "pooling.json", {"pooling": teacher.pooling, "normalize": teacher.normalize})
    types = {"": "sentence_transformers.base.modules.transformer.Transformer", _SIDES: f"{_MODULE}.CubeSides"}
    _json(
        folder / "modules.json",
        [{"idx": i, "name": str(i), "path": path, "type": kind} for i, (path, kind) in enumerate(types.items())],
    )
    _json(
        folder / "sentence_bert_config.json",
        {
            "max_seq_length": teacher.max_length,
            "do_lower_case": teacher.lowercase,
            "model_kwargs": {"dtype": teacher.dtype},
            # as the teacher pads: on the right, with any token where there is none for it
            "processor_kwargs": {"padding_side": "right", **_padding(tokenizer)},
        },
    )
    prompts = dict.fromkeys(("query", "document"), teacher.prefix)
    default = "query" if teacher.prefix else None  # what `encode` puts before a text
    _json(
        folder / "config_sentence_transformers.json",
        {"prompts": prompts, "default_prompt_name": default, "similarity_fn_name": "cosine"},
    )
    context = (
        "" if not core.config.context_turns else "; this core can also read earlier turns, through its own package"
    )
    card = _CARD.format(teacher=teacher.name, name=name, prefix=teacher.prefix, dtype=teacher.dtype, context=context)
    (folder / "README.md").write_text(card, encoding="utf-8")


def _padding(tokenizer: Any) -> dict[str, str]:
    return {} if tokenizer.pad_token else {"pad_token": tokenizer.eos_token}


def _json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
