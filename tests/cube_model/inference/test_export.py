"""Exports, opened in a fresh process without cube_model."""

import json
import subprocess
import sys

import numpy as np
import pytest

from cube_model import CubeConfig, CubeModel, ModelError, Teacher
from cube_model.inference.export import export_sentence_transformer
from cube_model.inference.processor import EmbeddingProcessor
from support.other_teachers import perturbed_core, tiny_gpt2

TEXTS = ["Hello there", "Is there a CHEAP hotel in the north, please?", "ok", "Да, конечно.", "Which number do I call?"]

OPEN = """
import json, sys
import numpy as np

class Hidden:
    def find_spec(self, name, *rest):
        if name.split(".")[0] in ("cube_model", "dataset_builders", "push_scripts"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hidden())
from sentence_transformers import SentenceTransformer

texts, folders = json.loads(sys.argv[1]), sys.argv[2:]
for folder in folders:
    model = SentenceTransformer(folder, trust_remote_code=True, device="cpu")
    sides = {"query": model.encode_query(texts), "document": model.encode_document(texts), "plain": model.encode(texts)}
    messages = [{"role": "user", "content": text} for text in texts]
    sides |= {"turns": model.encode_query([texts[:n] for n in (1, 2, 4)]), "messages": model.encode([messages[:4]])}
    np.savez(folder + ".npz", **sides)
"""


@pytest.fixture(scope="module")
def opened(minilm, pairs_folder, cache_folder, trained_core, tmp_path_factory):
    """Core, teacher and embeddings of each export, computed in a fresh process without this package."""
    pytest.importorskip("sentence_transformers", reason="pip install sentence-transformers")
    root = tmp_path_factory.mktemp("exports")
    source = tiny_gpt2(root / "tiny-gpt2")
    causal = Teacher.load(source, "float32", "cpu", pooling="last", prefix="say: ", max_length=24)
    core = perturbed_core(causal, context_turns=1)
    core.save_pretrained(root / "core")
    export_sentence_transformer(trained_core, root / "bert")
    export_sentence_transformer(root / "core", root / "causal", teacher=str(source))
    environment = {"HF_HOME": str(root / "hub"), "HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", OPEN, json.dumps(TEXTS), str(root / "bert"), str(root / "causal")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    exported = {"bert": (CubeModel.from_pretrained(trained_core), minilm), "causal": (core, causal)}
    return {name: (*pair, np.load(root / f"{name}.npz")) for name, pair in exported.items()}


@pytest.mark.parametrize("name", ["bert", "causal"])
def test_embeddings_are_equal_without_this_package(opened, name):
    core, teacher, actual = opened[name]
    processor, embeddings = EmbeddingProcessor(core), teacher.encode(TEXTS)
    np.testing.assert_allclose(actual["query"], processor.process_batch(embeddings), atol=1e-5)
    np.testing.assert_allclose(actual["document"], processor.process_answers(embeddings), atol=1e-5)
    np.testing.assert_allclose(actual["plain"], actual["query"], atol=1e-6)
    assert np.abs(actual["query"] - embeddings).max() > 0.01  # the core is not the identity
    assert np.abs(actual["query"] - actual["document"]).max() > 0.01


@pytest.mark.parametrize("name", ["bert", "causal"])
def test_earlier_turns_are_read_without_this_package(opened, name):
    core, teacher, actual = opened[name]
    processor, embeddings = EmbeddingProcessor(core), teacher.encode(TEXTS)
    for row, count in zip(actual["turns"], (1, 2, 4), strict=True):
        channels = embeddings[:count][::-1][: 1 + core.config.context_turns]
        np.testing.assert_allclose(row, processor.process_batch(channels[None].copy())[0], atol=1e-5)
    np.testing.assert_allclose(actual["messages"][0], actual["turns"][2], atol=1e-5)


def test_export_on_the_command_line(run, trained_core, tmp_path):
    done = run("export", "--model", trained_core, "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "trust_remote_code=True" in done.output
    assert "all-MiniLM-L6-v2" in (tmp_path / "out" / "README.md").read_text()


def test_export_is_reproducible_and_replaces_only_exports(trained_core, tmp_path):
    first = export_sentence_transformer(trained_core, tmp_path / "a")
    second = export_sentence_transformer(trained_core, tmp_path / "b")
    for path in sorted(first.rglob("*")):
        if path.is_file() and path.name != "README.md":  # its example names the folder
            assert path.read_bytes() == (second / path.relative_to(first)).read_bytes(), path
    with pytest.raises(ModelError, match="pass --overwrite"):
        export_sentence_transformer(trained_core, first)
    export_sentence_transformer(trained_core, first, overwrite=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(ModelError, match="not made by `dialogue-cube export`"):
        export_sentence_transformer(trained_core, tmp_path / "mine", overwrite=True)


def test_autoencoder_cannot_be_exported(minilm, tmp_path):
    CubeModel(CubeConfig(mode="autoencoder", teacher=minilm.describe())).save_pretrained(tmp_path / "core")
    with pytest.raises(ModelError, match="autoencoder"):
        export_sentence_transformer(tmp_path / "core", tmp_path / "out")
