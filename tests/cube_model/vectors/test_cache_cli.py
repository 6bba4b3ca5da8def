import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from cube_model import EmbeddingCache, ModelError
from cube_model.vectors.cli import cache_app
from cube_model.vectors.store import LAYOUT


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    return lambda *arguments: CliRunner().invoke(cache_app, list(arguments))


@pytest.fixture
def cache(run, tmp_path):
    cache = EmbeddingCache()
    vectors = np.random.default_rng(0).standard_normal((2000, 384), dtype=np.float32)
    for name, fingerprint in (("minilm", "a" * 64), ("mpnet", "b" * 64)):
        cache.put_many(fingerprint, [str(i) for i in range(2000)], vectors, teacher=name, seconds=4.0)
    return cache


def data_bytes(tmp_path):
    return (tmp_path / "embeddings" / LAYOUT / "data.mdb").stat().st_size


def test_info(run, cache, tmp_path):
    result = run("info")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == str(tmp_path / "embeddings")
    row = next(line.split() for line in lines if "minilm" in line)
    assert row[:4] == ["minilm", "aaaaaaaa", "384", "fp32"]
    assert row[-4:-1] == ["2,000", "3.2", "2.00"]
    assert row[-1] == time.strftime("%Y-%m-%d")
    assert "4,000 vectors" in result.output
    assert max(map(len, lines[1:])) <= 80


def test_info_of_an_empty_cache(run):
    assert "0 vectors, 0.0 MB of at most 20.0 GB" in run("info").output


def test_clear_one_teacher_releases_its_disk_space(run, cache, tmp_path):
    before = data_bytes(tmp_path)
    assert "removed 2,000 vectors, 3." in run("clear", "--teacher", "minilm").output
    assert [shelf.teacher for shelf in cache.shelves()] == ["mpnet"]
    assert data_bytes(tmp_path) < 0.6 * before
    assert cache.get_many("b" * 64, ["7"])[0] is not None
    assert "removed 2,000" in run("clear", "--teacher", "bbbb").output
    assert len(cache) == 0


def test_clear_by_age(run, cache, monkeypatch):
    assert "removed 0 vectors" in run("clear", "--older-than", "3").output
    later = time.time() + 4 * 24 * 3600
    monkeypatch.setattr("cube_model.vectors.store.time.time", lambda: later)
    assert cache.get_many("a" * 64, ["7"])[0] is not None
    assert "removed 2,000 vectors" in run("clear", "--older-than", "3").output
    assert [shelf.teacher for shelf in cache.shelves()] == ["minilm"]


def test_clear_all(run, cache, tmp_path):
    (tmp_path / "embeddings" / "data.mdb").write_bytes(b"from an older version")
    assert "of another version" in run("info").output
    assert "removed 4,000 vectors" in run("clear").output
    assert len(cache) == 0
    assert not (tmp_path / "embeddings" / "data.mdb").exists()
    cache.put_many("a" * 64, ["again"], np.ones((1, 384), np.float32))
    assert len(EmbeddingCache()) == 1


def test_error_names_the_missing_teacher_or_folder(run, cache, tmp_path):
    for arguments, words in (
        (["clear", "--teacher", "bert"], "no vectors of teacher bert in .*; its teachers: minilm, mpnet"),
        (["info", "--folder", str(tmp_path / "nowhere")], "nowhere: no embedding cache"),
    ):
        result = run(*arguments)
        assert isinstance(result.exception, ModelError)
        with pytest.raises(ModelError, match=words):
            raise result.exception
    assert not (tmp_path / "nowhere").exists()


def test_command_is_registered_and_help_is_fast(run, tmp_path):
    """`--help` must not import torch."""
    import subprocess

    code = "import sys, dialogue_cube; assert not {'torch', 'lmdb', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    from dialogue_cube import app

    output = CliRunner().invoke(app, ["cache", "--help"]).output
    assert "info" in output
    assert "clear" in output
