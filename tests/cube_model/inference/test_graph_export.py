"""Exported graphs, run by the lines of their README in a fresh process without this package and without transformers."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cube_model import CubeConfig, CubeModel, ModelError, Teacher
from cube_model.inference import graph_export
from cube_model.inference.graph_export import export_graph
from cube_model.inference.processor import EmbeddingProcessor
from support.tiny_teacher import save_tiny_distilbert

pytest.importorskip("onnxruntime", reason="install the extra `export`")

ROWS = [["And on Sunday?", "Yes, we are open on Saturday."], ["ok", "Да, конечно."]]
ANSWERS = ["It costs ten pounds and fifty pence, with breakfast and a newspaper.", "Нет"]

RUN = """
import json, sys
import numpy as np

class Hidden:
    def find_spec(self, name, *rest):
        if name.split(".")[0] in HIDDEN:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hidden())
CODE
rows, answers, turns = json.loads(sys.argv[1])
texts = [text for row in rows for text in row[:turns]]
questions = encode(texts, turns)[0] if turns > 1 else encode(texts)[0]
np.savez("vectors.npz", questions=questions, answers=encode(answers)[1])
"""


@pytest.fixture(scope="module")
def cores(tmp_path_factory):
    """Folders of a core that reads one turn of context, and of one without context whose teacher is in bfloat16."""
    root = tmp_path_factory.mktemp("graphs")
    source = save_tiny_distilbert(root / "tiny", 48)
    settings = {"context": ("float32", {}, 1), "bfloat16": ("bfloat16", {"pooling": "cls", "prefix": "query: "}, 0)}
    cores = {}
    for name, (dtype, options, turns) in settings.items():
        teacher = Teacher.load(source, dtype, "cpu", **options)
        torch.manual_seed(0)
        shape = {"global_units": 4, "plane_units": 1, "context_turns": turns}
        core = CubeModel(CubeConfig(embedding_dim=48, teacher=teacher.describe(), **shape)).eval()
        for weight in core.parameters():
            weight.data.add_(0.1 * torch.randn_like(weight))
        core.save_pretrained(root / name)
        exact = Teacher.load(source, dtype, "cpu", **options)
        exact._model.float()  # the weights of this precision, computed in float32
        cores[name] = SimpleNamespace(folder=root / name, teacher=exact, core=core, turns=turns, source=str(source))
    return cores


def run_readme(folder, case, *hidden):
    """Run the code of the README, then encode `ROWS` and `ANSWERS` with its function."""
    code = re.search(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)[1]
    ours = ("cube_model", "dataset_builders", "push_scripts", "transformers", *hidden)
    command = RUN.replace("HIDDEN", repr(ours)).replace("CODE", code)
    inputs = json.dumps([ROWS, ANSWERS, 1 + case.turns])
    environment = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", command, inputs],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in code  # one of the answers
    return np.load(folder / "vectors.npz")


def expected(case):
    texts = [text for row in ROWS for text in row[: 1 + case.turns]]
    vectors = case.teacher.encode(texts).reshape(len(ROWS), 1 + case.turns, -1)
    processor = EmbeddingProcessor(case.core)
    return processor.process_batch(vectors), processor.process_answers(case.teacher.encode(ANSWERS))


@pytest.mark.parametrize(
    ("format", "name", "hidden"),
    [("openvino", "context", ("torch",)), ("torchscript", "context", ()), ("torchscript", "bfloat16", ())],
)
def test_the_readme_runs_without_this_package_and_gives_the_vectors_of_pytorch(cores, tmp_path, format, name, hidden):
    case = cores[name]
    record = export_graph(case.folder, tmp_path / "out", format, teacher=case.source)
    assert json.loads((tmp_path / "out" / "export.json").read_text()) == record
    assert record["check"]["max_difference"] < 1e-5
    assert record["speed"]["ratio"] > 0
    assert ("cosine_to_bfloat16" in record["teacher"]) == (name == "bfloat16")
    assert not [path for path in (tmp_path / "out").iterdir() if str(tmp_path).encode() in path.read_bytes()]
    actual = run_readme(tmp_path / "out", case, *hidden)
    for side, vectors in zip(("questions", "answers"), expected(case), strict=True):
        np.testing.assert_allclose(actual[side], vectors, atol=1e-5)


def test_onnx_in_int8_is_near_to_float32_and_says_what_it_costs(cores, pairs_folder, run, tmp_path):
    case, out = cores["context"], tmp_path / "out"
    options = ("--teacher", case.source, "--output", out, "--format", "onnx", "--int8", "--data", pairs_folder)
    done = run("export", "--model", case.folder, *options)
    assert done.exit_code == 0, done.output
    assert re.search(r"in float32 equal to PyTorch within \d\.\de-0[678] on \d+ texts", done.output)
    assert re.search(r"1-of-100 accuracy 0\.\d{3} -> 0\.\d{3} on 120 validation pairs", done.output)
    record = json.loads((out / "export.json").read_text())
    assert record["int8"]["cosine"]["min"] > 0.98
    assert b"/cube_model/" not in (out / "model.onnx").read_bytes()  # paths of the code
    actual = run_readme(out, case, "torch")
    for side, vectors in zip(("questions", "answers"), expected(case), strict=True):
        assert (actual[side] * vectors).sum(1).min() > 0.98
        assert np.abs(actual[side] - vectors).max() > 1e-6  # it is quantised


def test_a_graph_that_differs_is_not_exported(cores, tmp_path, monkeypatch):
    monkeypatch.setattr(graph_export, "TOLERANCE", 1e-12)
    with pytest.raises(ModelError, match="torchscript: the graph differs from PyTorch by"):
        export_graph(cores["context"].folder, tmp_path / "out", "torchscript", teacher=cores["context"].source)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_said_before_anything_is_loaded(run, tmp_path, monkeypatch):
    options = ("export", "--model", tmp_path, "--output", tmp_path / "out", "--format")
    done = run(*options, "openvino", "--int8")
    assert "--int8 works with --format onnx only" in str(done.exception)
    done = run(*options, "sentence-transformers", "--int8")
    assert "--int8 and --data are for --format onnx, openvino and torchscript" in str(done.exception)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = run(*options, "onnx")
    assert "needs onnx, onnxscript, onnxruntime: pip install 'dialogue-cube[export]'" in str(done.exception)
