"""Export of a core with its teacher as one graph from token ids to vectors, for ONNX, OpenVINO or TorchScript.

>>> export_graph("my-core", "my-onnx", "onnx")["check"]["max_difference"]
1.8e-07

The folder runs without this package and, except for TorchScript, without torch:

FOLDER/tokenizer.json   with truncation and padding
FOLDER/model.onnx       or model.xml with model.bin, or model.pt
FOLDER/export.json      settings of the teacher, lattice, fingerprints, largest difference to PyTorch, speed
FOLDER/README.md        lines to copy: question -> nearest answer
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cube_model.errors import ModelError
from cube_model.inference.export_folder import GRAPH_RECORD, exporting
from cube_model.inference.graph import INPUTS, SIDES, GraphTokenizer, TextGraph
from cube_model.inference.graph_check import TEXTS, TOLERANCE, GraphCheck, cosines
from cube_model.inference.graph_formats import FORMATS, GraphFormat, quantize_onnx
from cube_model.inference.loading import core_fingerprint
from cube_model.machine import versions
from dataset_builders.common.seals import sealed

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel
    from cube_model.teacher.teacher import Teacher


def export_graph(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
    format: str,
    *,
    int8: bool = False,
    data: str | os.PathLike[str] | None = None,
    teacher: str | None = None,
    overwrite: bool = False,
    revision: str | None = None,
) -> dict[str, Any]:
    """Write a folder with the graph, its tokenizer, a record and a README, atomically.

    The graph computes in float32, also for a teacher of another precision. It is compared with PyTorch before the
    folder is put into place, and timed.

    Args:
        model: Folder or Hub repository of a trained core.
        output: Folder to create.
        format: `"onnx"`, `"openvino"` or `"torchscript"`.
        int8: Quantise the weights to int8 (ONNX only): smaller and faster, not equal.
        data: Dataset folder or Hub repository, whose validation pairs are compared instead of a few invented turns;
            with `int8`, the record shows the change of the 1-of-100 accuracy on them.
        teacher: Name, folder or Hub repository of the core's teacher. Default: the recorded name.
        overwrite: Replace an existing export.
        revision: Branch, tag or commit of the core's repository.

    Returns:
        The record, as in `export.json`.

    Raises:
        ModelError: Core, teacher or data is unavailable, the core is an autoencoder, a library is missing, the graph
            differs from PyTorch by more than `TOLERANCE`, or the folder must not be replaced or cannot be written.
    """
    kind = FORMATS[format]
    kind.check_packages(format)
    if int8 and format != "onnx":
        raise ModelError(f"--int8 works with --format onnx only: {format} has no dynamic quantisation of its own")
    with exporting(model, output, teacher=teacher, overwrite=overwrite, revision=revision) as (folder, core, loaded):
        record = _settings(format, kind, core, loaded)
        original = loaded.encode(TEXTS)
        graph = TextGraph(loaded, core)  # from here on, the teacher computes in float32
        if loaded.dtype != "float32":
            similar = cosines(original, loaded.encode(TEXTS))
            record["teacher"][f"cosine_to_{loaded.dtype}"] = {
                "mean": float(similar.mean()),
                "min": float(similar.min()),
            }
        tokenizer = GraphTokenizer(loaded, graph.turns)
        check = GraphCheck.on(data, core, loaded, tokenizer)
        kind.write(graph, folder)
        run = kind.open(folder)
        record["check"] = check.equality(run)
        if not record["check"]["max_difference"] <= TOLERANCE:
            raise ModelError(
                f"{format}: the graph differs from PyTorch by {record['check']['max_difference']:.1e}, more than "
                f"{TOLERANCE:.0e}: it is not exported; use --format sentence-transformers for {loaded.name}"
            )
        if int8:
            before = check.sides(run)
            quantize_onnx(folder)
            run = kind.open(folder)
            record |= {"precision": "int8", "int8": check.loss(before, check.sides(run))}
        record["speed"] = check.speed(run, graph, format)
        record["bytes"] = sum(path.stat().st_size for path in folder.glob("model.*"))
        tokenizer.save(folder)
        (folder / GRAPH_RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (folder / "README.md").write_text(sealed(_readme(record, kind)), encoding="utf-8")
    return record


def figures(record: dict[str, Any]) -> list[str]:
    """Describe what an export measured, a line for each topic.

    Args:
        record: Result of `export_graph`.
    """
    check, speed, format = record["check"], record["speed"], record["format"]
    lines = [
        f"{record['file']}, {record['bytes'] / 1e6:.1f} MB; in float32 equal to PyTorch within "
        f"{check['max_difference']:.1e} on {check['texts']} texts",
        f"{speed[format]:,.0f} texts per second, PyTorch {speed['pytorch']:,.0f}: {speed['ratio']:.2f} times as fast "
        f"(batches of {speed['batch']}, threads: {speed['threads']})",
    ]
    if loss := record.get("int8"):
        accuracy = loss.get("accuracy_1_of_100")
        change = (
            f"1-of-100 accuracy {accuracy['float32']:.3f} -> {accuracy['int8']:.3f} on {loss['pairs']} validation pairs"
            if accuracy
            else "the 1-of-100 accuracy needs --data"
        )
        lines.append(
            f"int8: cosine {loss['cosine']['mean']:.4f} to float32 (lowest {loss['cosine']['min']:.4f}); {change}"
        )
    return lines


def _settings(format: str, kind: GraphFormat, core: CubeModel, teacher: Teacher) -> dict[str, Any]:
    config = core.config
    shape = ["batch", *(["turns"] if config.context_turns else []), "length"]
    output = {"type": "float32", "shape": ["batch", config.embedding_dim], "norm": 1}
    return {
        "format": format,
        "file": kind.file,
        "precision": "float32",
        "inputs": {name: {"type": "int64", "shape": shape} for name in INPUTS},
        "outputs": dict.fromkeys(SIDES, output),
        "context_turns": config.context_turns,
        "prefix": teacher.prefix,
        "lowercase": teacher.lowercase,
        "max_length": teacher.max_length,
        "pooling": teacher.pooling,
        "normalize": teacher.normalize,
        "lattice": config.lattice_size,
        "core": {"parameters": core.num_parameters(), "fingerprint": core_fingerprint(core)},
        "teacher": {key: getattr(teacher, key) for key in ("name", "revision", "parameters", "dtype", "fingerprint")},
        "versions": versions(kind.packages),
    }


def _readme(record: dict[str, Any], kind: GraphFormat) -> str:
    """Return the README; its code runs in the folder."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string((Path(__file__).parent / "graph_readme.md.jinja").read_text(encoding="utf-8"))
    text = "text.lower()" if record["lowercase"] else "text"
    return template.render(
        record=record,
        kind=kind,
        turns=1 + record["context_turns"],
        dimension=record["outputs"]["question"]["shape"][1],
        prepared=f"{record['prefix']!r} + {text}" if record["prefix"] else text,
        packages=" ".join((kind.runs_with, "tokenizers", "numpy")),
        figures=figures(record),
        file=GRAPH_RECORD,
    )
