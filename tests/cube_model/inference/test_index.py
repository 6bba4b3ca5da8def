"""Search over invented vectors, and saved indexes."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from cube_model import CubeRetriever, EmbeddingCache, ModelError
from cube_model.inference import search as vector_search
from cube_model.inference.answers import answers_fingerprint, read_answers
from cube_model.inference.index import AnswerIndex
from cube_model.inference.loading import load_core
from cube_model.inference.search import ExactSearch, GraphSearch, make_search


def invented_vectors(count, dimension=48, seed=0):
    """Vectors of norm 1 that, like sentence embeddings, lie near a subspace of fewer dimensions."""
    rng = np.random.default_rng(seed)
    basis = np.random.default_rng(99).standard_normal((12, dimension))
    vectors = rng.standard_normal((count, 12)) @ basis + 0.5 * rng.standard_normal((count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("block", [64, 5000, 1 << 24])
@pytest.mark.parametrize("k", [1, 7, 1000, 2000])
def test_exact_search_equals_a_full_sort_for_any_block_size(monkeypatch, block, k):
    monkeypatch.setattr(vector_search, "_BLOCK", block)
    vectors, questions = invented_vectors(1000), invented_vectors(300, seed=1)
    rows, scores = ExactSearch(vectors).nearest(questions, k)
    all_scores = questions @ vectors.T
    expected = np.argsort(-all_scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_allclose(scores, np.take_along_axis(all_scores, expected, 1), atol=1e-6)
    assert (rows == expected).mean() > 0.999  # scores that differ by rounding only may swap
    assert rows.shape == (300, min(k, 1000))


def test_equal_scores_are_ordered_by_row(monkeypatch):
    monkeypatch.setattr(vector_search, "_BLOCK", 8)
    rows, _ = ExactSearch(np.ones((20, 3), np.float32)).nearest(np.ones((1, 3), np.float32), 20)
    assert rows[0].tolist() == list(range(20))


def test_graph_search_has_high_recall_and_exact_scores(tmp_path):
    pytest.importorskip("faiss", reason="install the extra `index`")
    vectors, questions = invented_vectors(5000), invented_vectors(50, seed=1)
    graph = make_search(vectors, "graph")
    rows, scores = graph.nearest(questions, 10)
    exact, _ = make_search(vectors).nearest(questions, 10)
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(rows, exact, strict=True)]) > 0.97
    np.testing.assert_allclose(scores, np.einsum("nkd,nd->nk", vectors[rows], questions), atol=1e-6)
    assert (np.diff(scores, axis=1) <= 0).all()
    graph.save(tmp_path / "graph")
    again, _ = GraphSearch(vectors, tmp_path / "graph").nearest(questions, 10)
    assert (again == rows).all()
    (tmp_path / "graph").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot be read"):
        GraphSearch(vectors, tmp_path / "graph")


def test_graph_search_requires_faiss(monkeypatch):
    monkeypatch.setattr(vector_search, "EXACT_LIMIT", 99)
    monkeypatch.setitem(sys.modules, "faiss", None)
    vectors = invented_vectors(100)
    with pytest.raises(ModelError, match=r"100 answers.*dialogue-cube\[index\].*--search exact"):
        make_search(vectors)
    assert isinstance(make_search(vectors, "exact"), ExactSearch)
    assert isinstance(make_search(vectors[:99]), ExactSearch)
    with pytest.raises(ModelError, match="search 'fast'"):
        make_search(vectors, "fast")


@pytest.fixture(scope="module")
def saved(answers_folder, cache_folder, trained_core, tmp_path_factory):
    folder = tmp_path_factory.mktemp("index") / "index"
    cache = EmbeddingCache(cache_folder)
    return folder, CubeRetriever.from_pretrained(trained_core, answers_folder, index=folder, cache=cache)


def test_saved_index_gives_the_same_answers_without_the_dataset(saved, trained_core):
    folder, built = saved
    opened = CubeRetriever.from_pretrained(trained_core, index=folder)
    assert opened.ask("I need a ticket", ["Hello"]) == built.ask("I need a ticket", ["Hello"])
    assert opened.answers.equals(built.answers)


def test_record_holds_fingerprints_licences_and_versions(saved, answers_folder):
    folder, built = saved
    record = json.loads((folder / "index.json").read_text())
    assert record["fingerprints"]["teacher"] == built.teacher.fingerprint
    assert record["fingerprints"]["data"] == answers_fingerprint(read_answers(answers_folder))
    assert record["answers"] == len(built.answers)
    assert (record["redistributable"], record["licenses"]) == (True, {"CC0-1.0": len(built.answers)})
    assert {"python", "torch", "numpy"} <= set(record["versions"])


def test_one_row_that_is_not_redistributable_makes_the_index_so(answers_folder, tmp_path):
    answers = read_answers(answers_folder)
    flags = [True] * (len(answers) - 1) + [False]
    answers = answers.set_column(3, "redistributable", pa.array(flags))
    AnswerIndex(answers, make_search(invented_vectors(len(answers))), {}).save(tmp_path / "index")
    assert json.loads((tmp_path / "index" / "index.json").read_text())["redistributable"] is False


def test_embeddings_stay_on_disk(tmp_path, answers_folder):
    """A fresh process opens 80 MB of vectors with a few MB of memory."""
    texts = pa.array([str(i) for i in range(50_000)])
    table = pa.table({"text": texts, "source": texts, "license": texts, "redistributable": pa.array([True] * 50_000)})
    AnswerIndex(table, make_search(np.zeros((50_000, 400), np.float32)), {}).save(tmp_path / "index")
    script = (
        "import resource, sys, torch, safetensors, pyarrow.parquet; from cube_model.inference.index import AnswerIndex\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak(); index = AnswerIndex.load(sys.argv[1]); print(peak() - before, index.search.vectors.shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "index")], capture_output=True, text=True, check=True
    )
    growth, shape = done.stdout.split(maxsplit=1)
    assert shape.strip() == "(50000, 400)"
    assert int(growth) < 40_000  # KB


@pytest.mark.parametrize(("part", "word"), [("core", "core"), ("teacher", "teacher"), ("data", "dataset")])
def test_another_core_teacher_or_dataset_is_rejected_with_both_fingerprints(saved, part, word):
    folder, _ = saved
    expected = AnswerIndex.load(folder).fingerprints
    with pytest.raises(ModelError, match=rf"another {word} \(fingerprint {expected[part][:12]}, now 0123456789ab\)"):
        AnswerIndex.load(folder, {**expected, part: "0123456789abcdef"})


def test_core_with_changed_weights_is_another_core(saved, trained_core, answers_folder, cache_folder, tmp_path):
    folder, _ = saved
    core = load_core(trained_core)
    next(core.parameters()).data.view(-1)[0] += 0.01
    core.save_pretrained(tmp_path / "core")
    with pytest.raises(ModelError, match="made with another core"):
        CubeRetriever.from_pretrained(tmp_path / "core", index=folder)
    copied = shutil.copytree(folder, tmp_path / "index")
    cache = EmbeddingCache(cache_folder)
    again = {"index": copied, "overwrite": True, "cache": cache}
    CubeRetriever.from_pretrained(tmp_path / "core", answers_folder, **again)
    CubeRetriever.from_pretrained(tmp_path / "core", answers_folder, index=copied, cache=cache)
    with pytest.raises(ModelError, match="made with another core"):
        CubeRetriever.from_pretrained(trained_core, index=copied)


def test_other_rows_are_another_dataset(saved, trained_core, answers_folder):
    with pytest.raises(ModelError, match="made with another dataset"):
        CubeRetriever.from_pretrained(trained_core, answers_folder, index=saved[0], max_answers=5)


def test_errors_of_opening_and_saving(saved, trained_core, answers_folder, tmp_path):
    folder, built = saved
    with pytest.raises(ModelError, match="no answer index; pass the dataset"):
        CubeRetriever.from_pretrained(trained_core, index=tmp_path / "none")
    with pytest.raises(ModelError, match="select rows of a dataset"):
        CubeRetriever.from_pretrained(trained_core, index=folder, sources=["woz"])
    with pytest.raises(ModelError, match="pass --overwrite"):
        built.save_index(folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(ModelError, match="not made by `dialogue-cube ask --index`"):
        built.save_index(tmp_path / "other", overwrite=True)
    damaged = shutil.copytree(folder, tmp_path / "damaged")
    (damaged / "vectors.safetensors").write_bytes((folder / "vectors.safetensors").read_bytes()[:1000])
    with pytest.raises(ModelError, match="damaged"):
        AnswerIndex.load(damaged)
    (damaged / "index.json").write_text("{}")
    with pytest.raises(ModelError, match=r"index.json: damaged \(`format` is missing\)"):
        AnswerIndex.load(damaged)
    assert not list(folder.parent.glob(".*"))  # no temporary files are left


def test_index_on_the_command_line(run, trained_core, answers_folder, tmp_path):
    ask = ("ask", "--model", trained_core, "--index", tmp_path / "index", "I need a ticket", "-k", 2)
    made, opened = run(*ask, "--data", answers_folder), run(*ask)
    assert made.exit_code == opened.exit_code == 0, made.output + opened.output
    rows = [[line for line in done.output.splitlines() if "CC0" in line] for done in (made, opened)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 2
