"""Export of a core with its teacher as one folder: by default for sentence-transformers, without this package.

>>> export_sentence_transformer("my-core", "my-embedder")

>>> model = SentenceTransformer("my-embedder", trust_remote_code=True)
>>> turns = ["I need a hotel.", "In which part of town?", "In the north."]  # oldest first, the question last
>>> model.similarity(model.encode_query([turns]), model.encode_document(answers))
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
from cube_model.inference.choices import ExportFormat
from cube_model.inference.export_folder import CODE, CORE_FOLDER, exporting
from dataset_builders.common.seals import sealed

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel
    from cube_model.teacher.teacher import Teacher

_MODULE = CODE[0]


def export(
    model: Annotated[str, typer.Option(help="Trained core: folder or Hub repository.")],
    output: Annotated[Path, typer.Option(help="Folder to create.")],
    teacher: Annotated[str | None, typer.Option(help="Location of the core's teacher. Default: its name.")] = None,
    format: Annotated[ExportFormat, typer.Option(help="Library that is to run it.")] = "sentence-transformers",
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantise the weights: smaller, faster, not equal. ONNX only.")
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(help="Dataset (folder or Hub repository) to check the graph on, by its validation pairs."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing export.")] = False,
) -> None:
    """Export core and teacher as one folder: for sentence-transformers, ONNX Runtime, OpenVINO or torch alone."""
    check_locations(data, model)
    if format == "sentence-transformers":
        if int8 or data:
            raise ModelError("--int8 and --data are for --format onnx, openvino and torchscript")
        export_sentence_transformer(model, output, teacher=teacher, overwrite=overwrite)
        typer.echo(f'{output}: open it with SentenceTransformer("{output}", trust_remote_code=True)')
        return
    from cube_model.inference.graph_export import export_graph, figures

    record = export_graph(model, output, format, int8=int8, data=data, teacher=teacher, overwrite=overwrite)
    typer.echo("\n".join([*figures(record), f"{output / 'README.md'}: lines to copy"]))


def export_sentence_transformer(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    teacher: str | None = None,
    overwrite: bool = False,
    revision: str | None = None,
) -> Path:
    """Write a folder with the teacher, the core, and the code that joins them, atomically.

    Its embeddings of questions, with their earlier turns, and of answers equal those of `CubeRetriever` up to rounding.

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
    from cube_model.inference.loading import training_record

    with exporting(model, output, teacher=teacher, overwrite=overwrite, revision=revision) as (folder, core, loaded):
        place = Path(output).expanduser().resolve()
        _write(folder, core, loaded, training_record(model, revision), place.name)
    return place


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
        core.save_pretrained(folder / CORE_FOLDER)
    for path in list((folder / CORE_FOLDER).iterdir()):  # code and settings are expected in the root
        if path.name != "config.json" and ".safetensors" not in path.name:
            path.unlink()
    source = Path(__file__).parents[1] / "core"
    for module in CODE:
        shutil.copy(source / f"{module}.py", folder)
    _json(folder / CORE_FOLDER / "pooling.json", {"pooling": teacher.pooling, "normalize": teacher.normalize})
    types = {"": f"{_MODULE}.TurnsTransformer", CORE_FOLDER: f"{_MODULE}.CubeSides"}
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
    (folder / "README.md").write_text(sealed(_card(folder, core, record, name)), encoding="utf-8")
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
