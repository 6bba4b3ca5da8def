"""Export of a core with its teacher as one folder that sentence-transformers opens, without this package.

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

from cube_model._command import check_locations
from cube_model.card.card import ModelFacts, model_card
from cube_model.errors import ModelError
from cube_model.teacher.sentence_files import SENTENCE_TRANSFORMERS_FILES, TRANSFORMERS_FILES
from dataset_builders.common.files import needs_room
from dataset_builders.common.outputs import Output, OutputKind

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel
    from cube_model.teacher.teacher import Teacher

_CORE_FOLDER = "1_CubeSides"
_MODULE = "sentence_transformer_module"
_CODE = (_MODULE, "pooling", "modeling_cube", "configuration_cube")
"""Modules of `cube_model.core` to copy; they import only libraries and each other."""

EXPORT = OutputKind(
    "`dialogue-cube export`",
    "--output",
    lambda folder: (folder / _CORE_FOLDER).is_dir(),
    (
        *TRANSFORMERS_FILES,
        *SENTENCE_TRANSFORMERS_FILES,
        *("README.md", "training.json", f"{_CORE_FOLDER}/pooling.json", *(f"{module}.py" for module in _CODE)),
    ),
    error=ModelError,
)
"""Existing folders that an export may replace."""


def export(
    model: Annotated[str, typer.Option(help="Trained core: folder or Hub repository.")],
    output: Annotated[Path, typer.Option(help="Folder to create.")],
    teacher: Annotated[str | None, typer.Option(help="Location of the core's teacher. Default: its name.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing export.")] = False,
) -> None:
    """Export core and teacher as one folder for SentenceTransformer(folder, trust_remote_code=True)."""
    check_locations(model=model)
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
    """Write a folder with the teacher, the core, and the code that joins them, atomically.

    Its embeddings of questions (without context) and of answers equal those of `CubeRetriever` up to rounding.

    Args:
        model: Folder or Hub repository of a trained core.
        output: Folder to create.
        teacher: Name, folder or Hub repository of the core's teacher. Default: the recorded name.
        overwrite: Replace an existing export.
        revision: Branch, tag or commit of the core's repository.

    Returns:
        The folder.

    Raises:
        ModelError: Core or teacher is unavailable, the core is an autoencoder, or the folder must not be replaced or
            cannot be written.
    """
    from cube_model.inference.loading import load_core, teacher_of, training_record

    target = Output(output, EXPORT, overwrite=overwrite)
    try:
        with target.claimed(), needs_room(target.place, "export again", ModelError):
            core = load_core(model, revision)
            if core.config.mode == "autoencoder":
                raise ModelError(f"{model}: an autoencoder does not map questions to answers; export a dialogue core")
            loaded = teacher_of(core, teacher, "cpu")
            target.new.mkdir()
            _write(target.new, core, loaded, training_record(model, revision), target.place.name)
            return target.put()
    except OSError as error:
        raise ModelError(f"{target.place}: cannot be written ({error.strerror or error})") from error


def _write(folder: Path, core: CubeModel, teacher: Teacher, record: dict[str, Any], name: str) -> None:
    import torch

    from cube_model.teacher.quiet import quiet_transformers

    encoder, tokenizer = teacher._model, teacher._tokenizer
    # no pooling reads the pooler, whose weights are random if the checkpoint lacks them
    weights = {
        name: torch.zeros_like(weight) if name.startswith("pooler.") else weight
        for name, weight in encoder.state_dict().items()
    }
    with quiet_transformers():
        encoder.save_pretrained(folder, state_dict=weights)
        tokenizer.save_pretrained(folder)
        core.save_pretrained(folder / _CORE_FOLDER)
    for path in list((folder / _CORE_FOLDER).iterdir()):  # code and settings are expected in the root
        if path.name != "config.json" and ".safetensors" not in path.name:
            path.unlink()
    source = Path(__file__).parents[1] / "core"
    for module in _CODE:
        shutil.copy(source / f"{module}.py", folder)
    _json(folder / _CORE_FOLDER / "pooling.json", {"pooling": teacher.pooling, "normalize": teacher.normalize})
    types = {"": "sentence_transformers.base.modules.transformer.Transformer", _CORE_FOLDER: f"{_MODULE}.CubeSides"}
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
            # pad like the teacher: on the right, with the end token if there is no padding token
            "processor_kwargs": {"padding_side": "right", **_padding(tokenizer)},
        },
    )
    prompts = dict.fromkeys(("query", "document"), teacher.prefix)
    default = "query" if teacher.prefix else None  # the prompt of `encode`
    _json(
        folder / "config_sentence_transformers.json",
        {"prompts": prompts, "default_prompt_name": default, "similarity_fn_name": "cosine"},
    )
    (folder / "README.md").write_text(_card(folder, core, record, name), encoding="utf-8")
    if record:
        (folder / "training.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _card(folder: Path, core: CubeModel, record: dict[str, Any], name: str) -> str:
    facts = ModelFacts(
        kind="export",
        config=core.config.to_dict(),
        training=record,
        parameters=core.num_parameters(),
        size=sum(path.stat().st_size for path in folder.rglob("*.safetensors")),
        reads_text=True,
    )
    return model_card(facts, name)


def _padding(tokenizer: Any) -> dict[str, str]:
    return {} if tokenizer.pad_token else {"pad_token": tokenizer.eos_token}


def _json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
