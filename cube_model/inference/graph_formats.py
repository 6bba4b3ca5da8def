"""Formats of an exported graph: how each is written, and how its library runs it."""

from __future__ import annotations

import importlib.util
import io
import logging
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cube_model.errors import ModelError
from cube_model.inference.graph import INPUTS, SIDES

if TYPE_CHECKING:
    from cube_model.inference.graph import TextGraph

Run = Callable[[np.ndarray, np.ndarray], "tuple[np.ndarray, np.ndarray]"]
"""Token ids and mask -> question and answer embeddings."""

_ONE_FILE = 1 << 30
"""Bytes of weights above which ONNX keeps them in a second file; its format cannot hold 2 GiB."""


@dataclass(frozen=True)
class GraphFormat:
    """One format.

    Args:
        file: Name of the main file.
        packages: Packages that write it and, the last, run it, all in the extra `export`.
        write: Write the graph to a folder.
        open: Open the graph in a folder with its own library, with as many threads as torch.
        load: Lines of Python that load the model as `model`, for the README.
        call: Python expression that maps `ids` and `mask` to both sides, for the README.
    """

    file: str
    packages: tuple[str, ...]
    write: Callable[[TextGraph, Path], None]
    open: Callable[[Path], Run]
    load: str
    call: str

    @property
    def runs_with(self) -> str:
        """Package that runs it."""
        return self.packages[-1] if self.packages else "torch"

    def check_packages(self, name: str) -> None:
        """Check that the libraries of a format are installed.

        Args:
            name: Name of the format.

        Raises:
            ModelError: One is missing; the message names the extra.
        """
        if missing := [package for package in self.packages if importlib.util.find_spec(package) is None]:
            raise ModelError(f"--format {name} needs {', '.join(missing)}: pip install 'dialogue-cube[export]'")


def _write_onnx(graph: TextGraph, folder: Path) -> None:
    axes = {
        0: torch.export.Dim("batch"),
        **({1: torch.export.Dim("turns", max=graph.turns)} if graph.turns > 1 else {}),
    }
    axes[2 if graph.turns > 1 else 1] = torch.export.Dim("length")
    with _quiet(), torch.no_grad():
        program: Any = torch.onnx.export(
            graph,
            graph.example(),
            dynamo=True,
            dynamic_shapes=dict.fromkeys(INPUTS, axes),
            input_names=INPUTS,
            output_names=SIDES,
            verbose=False,
        )
        for part in (program.model.graph, *program.model.functions.values()):
            for node in part.all_nodes():  # the exporter records the paths and lines of the code
                node.metadata_props.clear()
        weights = sum(weight.numel() * weight.element_size() for weight in graph.parameters())
        program.save(folder / "model.onnx", external_data=weights > _ONE_FILE)


def quantize_onnx(folder: Path) -> None:
    """Replace `model.onnx` by one with int8 weights, whose activations are quantised when it runs."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    file, small = folder / "model.onnx", folder / "model.int8.onnx"
    large = (folder / "model.onnx.data").exists()
    with _quiet():
        quantize_dynamic(file, small, weight_type=QuantType.QInt8, per_channel=True, use_external_data_format=large)
    for path in folder.glob("model.onnx*"):
        path.unlink()
    small.rename(file)


def _open_onnx(folder: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    return lambda ids, mask: tuple(session.run(SIDES, dict(zip(INPUTS, (ids, mask), strict=True))))


def _trace(graph: TextGraph) -> Any:
    with _quiet(), torch.no_grad():  # the check compares with PyTorch itself, in other shapes
        return torch.jit.trace(graph, graph.example(), check_trace=False)


def _write_openvino(graph: TextGraph, folder: Path) -> None:
    import openvino
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with _quiet():  # `openvino.convert_model` does the same, and reports to its makers
        frontend = FrontEndManager().load_by_framework("pytorch")
        decoder = TorchScriptPythonDecoder(_trace(graph), example_input=graph.example())
        loaded = frontend.load(decoder)  # the decoder has to outlive the conversion
        model = frontend.convert(loaded)
    turns = [openvino.Dimension(1, graph.turns)] if graph.turns > 1 else []
    for port, name in zip(model.inputs, INPUTS, strict=True):
        port.get_tensor().set_names({name})
        port.get_node().set_element_type(openvino.Type.i64)
        port.get_node().set_partial_shape(openvino.PartialShape([-1, *turns, -1]))
    for port, name in zip(model.outputs, SIDES, strict=True):
        port.get_tensor().set_names({name})
    model.validate_nodes_and_infer_types()
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)


def _open_openvino(folder: Path) -> Run:
    import openvino

    threads = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Core().compile_model(folder / "model.xml", "CPU", threads)

    def run(ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        question, answer = model([ids, mask]).to_tuple()
        return question, answer

    return run


def _write_torchscript(graph: TextGraph, folder: Path) -> None:
    traced = io.BytesIO()
    torch.jit.save(_trace(graph), traced)
    with zipfile.ZipFile(traced) as source, zipfile.ZipFile(folder / "model.pt", "w") as target:
        for entry in source.infolist():
            if not entry.filename.endswith(".debug_pkl"):  # the paths and lines of the code
                target.writestr(zipfile.ZipInfo(entry.filename), source.read(entry))


def _open_torchscript(folder: Path) -> Run:
    model = torch.jit.load(folder / "model.pt")

    def run(ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            question, answer = model(torch.from_numpy(ids), torch.from_numpy(mask))
            return question.numpy(), answer.numpy()

    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """Mute warnings that say nothing to a user: absent packages, deprecated functions inside the exporters."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


FORMATS = {
    "onnx": GraphFormat(
        "model.onnx",
        ("onnx", "onnxscript", "onnxruntime"),
        _write_onnx,
        _open_onnx,
        'import onnxruntime\nmodel = onnxruntime.InferenceSession("model.onnx")',
        'model.run(["question", "answer"], {"input_ids": ids, "attention_mask": mask})',
    ),
    "openvino": GraphFormat(
        "model.xml",
        ("openvino",),
        _write_openvino,
        _open_openvino,
        "import openvino\n"
        'model = openvino.Core().compile_model("model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})',
        "model([ids, mask]).to_tuple()",
    ),
    "torchscript": GraphFormat(
        "model.pt",
        (),
        _write_torchscript,
        _open_torchscript,
        'import torch\nmodel = torch.jit.load("model.pt")',
        "[side.numpy() for side in model(torch.from_numpy(ids), torch.from_numpy(mask))]",
    ),
}
