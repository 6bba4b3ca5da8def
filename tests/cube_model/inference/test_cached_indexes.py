"""The second question to a dataset does not wait for what the first one computed."""

import shutil

import numpy as np
import pytest

from cube_model import CubeRetriever, EmbeddingCache
from cube_model.inference import cached_indexes, retriever
from cube_model.vectors import cache as vectors_cache
from cube_model.vectors.cache import clear_cache, indexes_folder

QUESTION = "I need a room for two nights"


@pytest.fixture
def cache(tmp_path, cache_folder, monkeypatch):
    monkeypatch.setattr(cached_indexes, "SMALLEST", 10)
    shutil.copytree(cache_folder, tmp_path / "cache" / "embeddings")
    return EmbeddingCache(tmp_path / "cache" / "embeddings")


def open_retriever(trained_core, answers_folder, cache, **options):
    return CubeRetriever.from_pretrained(trained_core, answers_folder, cache=cache, progress=False, **options)


def test_a_kept_index_answers_the_same_without_encoding(trained_core, answers_folder, cache, monkeypatch):
    first = open_retriever(trained_core, answers_folder, cache)
    (kept,) = indexes_folder(cache.folder).iterdir()
    monkeypatch.setattr(retriever, "_map_answers", None)
    second = open_retriever(trained_core, answers_folder, cache)
    assert second.ask(QUESTION) == first.ask(QUESTION)
    assert np.array_equal(second.index.search.vectors, first.index.search.vectors)
    assert [path.name for path in indexes_folder(cache.folder).iterdir()] == [kept.name]


def test_a_damaged_index_is_made_again(trained_core, answers_folder, cache, caplog):
    first = open_retriever(trained_core, answers_folder, cache)
    (kept,) = indexes_folder(cache.folder).iterdir()
    (kept / "vectors.safetensors").write_bytes(b"?")
    assert open_retriever(trained_core, answers_folder, cache).ask(QUESTION) == first.ask(QUESTION)
    assert "damaged or changed since the index was written" in caplog.text
    assert (kept / "vectors.safetensors").stat().st_size > 1


def test_other_answers_have_another_index_and_the_oldest_goes(trained_core, answers_folder, cache, monkeypatch):
    monkeypatch.setattr(cached_indexes, "MOST", 2)
    for most in (20, 21, 22):
        assert len(open_retriever(trained_core, answers_folder, cache, max_answers=most).answers) == most
    assert len(list(indexes_folder(cache.folder).iterdir())) == 2
    clear_cache(cache)
    assert not indexes_folder(cache.folder).exists()


def test_small_datasets_keep_no_index(trained_core, answers_folder, cache, monkeypatch):
    monkeypatch.setattr(cached_indexes, "SMALLEST", 10_000)
    open_retriever(trained_core, answers_folder, cache)
    assert not indexes_folder(cache.folder).exists()


def test_a_long_encoding_is_announced_with_a_way_out(trained_core, answers_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(retriever, "_LONG", 0.001)
    monkeypatch.setattr(vectors_cache, "_WARM_UP", 4)
    monkeypatch.setattr(vectors_cache, "_SAMPLE", 60)
    cache = EmbeddingCache(tmp_path / "embeddings")
    CubeRetriever.from_pretrained(trained_core, answers_folder, cache=cache, max_answers=100)
    printed = " ".join(capsys.readouterr().err.split())
    assert "36 of 100 answers have to be encoded with minilm: about 0 min" in printed  # 64 measured the speed
    assert "--max-answers 1000, in Python max_answers=1000" in printed
    CubeRetriever.from_pretrained(trained_core, answers_folder, cache=cache, max_answers=100)
    assert "have to be encoded" not in capsys.readouterr().err
