"""Inverted lists on disk: accurate, built in parts, and opened without the memory of the vectors."""

import shutil

import numpy as np
import pytest

from cube_model import CubeRetriever, EmbeddingCache, ModelError
from cube_model.inference import index_parts, lists, search
from cube_model.inference.index import AnswerIndex
from cube_model.inference.lists import LISTS, LISTS_DATA, ListSearch, build_lists
from cube_model.inference.search import ExactSearch, make_search, uses_lists
from cube_model.vectors.cache import indexes_folder
from dataset_builders.common.storage import Storage

pytest.importorskip("faiss", reason="install the extra `index`")

QUESTION = "I need a ticket for two people on Friday"


def clustered_vectors(count, seed=0):
    """Vectors of norm 1 in 40 loose clusters, as those of sentences."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(9).standard_normal((40, 24))
    vectors = centres[rng.integers(40, size=count)] + 0.5 * rng.standard_normal((count, 24))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.setattr(lists, "_PART", 1000)
    monkeypatch.setattr(lists, "_BLOCK", 300)

    def run(vectors, name, storage="work"):
        (tmp_path / name).mkdir()
        build_lists(vectors, Storage(str(tmp_path / storage)), tmp_path / name)
        return tmp_path / name

    return run


def test_lists_find_the_neighbours_with_exact_scores_wherever_the_folder_lies(build, tmp_path):
    vectors, questions = clustered_vectors(5000), clustered_vectors(50, seed=1)
    built = build(vectors, "built")
    moved = built.rename(tmp_path / "moved")
    found = ListSearch(vectors, moved / LISTS)
    found._index.nprobe = 16  # of 125 lists
    rows, scores = found.nearest(questions, 10)
    exact, _ = ExactSearch(vectors).nearest(questions, 10)
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(rows, exact, strict=True)]) > 0.97
    np.testing.assert_allclose(scores, np.einsum("nkd,nd->nk", vectors[rows], questions), atol=1e-6)
    (tmp_path / "copy").mkdir()
    found.save(tmp_path / "copy" / LISTS)
    copied = ListSearch(vectors, tmp_path / "copy" / LISTS)
    copied._index.nprobe = 16
    assert np.array_equal(copied.nearest(questions, 10)[0], rows)
    with pytest.raises(ModelError, match="5000 vectors instead of 4999"):
        ListSearch(vectors[1:], moved / LISTS)
    (moved / LISTS).write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot be read; delete the index"):
        ListSearch(vectors, moved / LISTS)


def test_nothing_is_printed_among_the_answers(build, capfd):
    build(clustered_vectors(2500), "built")
    assert capfd.readouterr().out == ""


def test_a_killed_build_goes_on_with_the_part_that_is_missing(build, tmp_path, monkeypatch):
    vectors = clustered_vectors(3500)
    expected = build(vectors, "expected", storage="another")
    written, write = [], lists._write

    def killed(faiss, index, storage, name):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(name)
        write(faiss, index, storage, name)

    with monkeypatch.context() as patch:
        patch.setattr(lists, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            build(vectors, "killed")
    assert written == ["lists/centres.faiss", "lists/00000.faiss", "lists/00001.faiss"]
    monkeypatch.setattr(lists, "_write", lambda f, i, s, name: (written.append(name), write(f, i, s, name)))
    again = build(vectors, "again")
    assert written[3:] == ["lists/00002.faiss", "lists/00003.faiss"]
    assert (again / LISTS_DATA).read_bytes() == (expected / LISTS_DATA).read_bytes()


def test_lists_are_for_indexes_of_many_answers(monkeypatch):
    monkeypatch.setattr(search, "GRAPH_LIMIT", 99)
    assert uses_lists("auto", 100)
    assert not uses_lists("auto", 99)
    assert uses_lists("lists", 1)
    assert not uses_lists("graph", 10**9)
    with pytest.raises(ModelError, match="lists are built on disk"):
        make_search(clustered_vectors(10), "lists")


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(index_parts, "_PART_BYTES", 4 * 384 * 30)


def test_an_index_with_lists_answers_as_one_in_memory_and_is_resumed(
    small_parts, trained_core, answers_folder, cache_folder, tmp_path, monkeypatch
):
    cache = EmbeddingCache(cache_folder)
    exact = CubeRetriever.from_pretrained(trained_core, answers_folder, cache=cache, progress=False)
    options = {"index": tmp_path / "index", "search": "lists", "cache": cache, "progress": False}
    texts = []

    def embed(self, teacher, some, **more):
        if len(texts) == 60:
            raise KeyboardInterrupt
        texts.extend(some)
        return original(self, teacher, some, **more)

    original = EmbeddingCache.embed
    with monkeypatch.context() as patch:
        patch.setattr(EmbeddingCache, "embed", embed)
        with pytest.raises(KeyboardInterrupt):
            CubeRetriever.from_pretrained(trained_core, answers_folder, **options)
    assert not (tmp_path / "index").exists()
    monkeypatch.setattr(EmbeddingCache, "embed", lambda *a, **m: (texts.extend(a[2]), original(*a, **m))[1])
    built = CubeRetriever.from_pretrained(trained_core, answers_folder, **options)
    assert len(texts) == len(set(texts)) == len(exact.answers)  # the first sixty are not mapped again
    assert isinstance(built.index.search, ListSearch)
    assert [answer.text for answer in built.ask(QUESTION)] == [answer.text for answer in exact.ask(QUESTION)]
    assert built.answers.equals(exact.answers)
    assert not list(tmp_path.glob(".*"))
    opened = CubeRetriever.from_pretrained(trained_core, index=tmp_path / "index")
    assert opened.ask(QUESTION) == built.ask(QUESTION)
    opened.save_index(tmp_path / "copy")
    shutil.rmtree(tmp_path / "index")
    copy = CubeRetriever.from_pretrained(trained_core, answers_folder, index=tmp_path / "copy")
    assert copy.ask(QUESTION) == built.ask(QUESTION)
    exact.save_index(tmp_path / "exact")
    with pytest.raises(ModelError, match="has no lists; build it again with --search lists --overwrite"):
        AnswerIndex.load(tmp_path / "exact", search="lists")


def test_an_index_with_lists_is_kept_beside_the_cache(
    small_parts, trained_core, answers_folder, cache_folder, tmp_path
):
    cache = EmbeddingCache(shutil.copytree(cache_folder, tmp_path / "cache" / "embeddings"))
    options = {"search": "lists", "cache": cache, "progress": False}
    first = CubeRetriever.from_pretrained(trained_core, answers_folder, **options)
    (kept,) = indexes_folder(cache.folder).iterdir()
    assert (kept / LISTS).is_file()
    again = CubeRetriever.from_pretrained(trained_core, answers_folder, **options)
    assert again.ask(QUESTION) == first.ask(QUESTION)
