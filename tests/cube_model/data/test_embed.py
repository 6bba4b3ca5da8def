"""`dialogue-cube embed`: the same folder from any number of workers, and after any interruption."""

import os
import pickle
import socket
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from cube_model import DialogueConfig, EmbeddingCache, ModelError, Teacher, create_dialogue_dataset
from cube_model.cli import register
from cube_model.data.embed import run, texts
from cube_model.data.embed.config import EmbedConfig
from cube_model.data.embed.run import embed_dataset
from cube_model.evaluation.config import ResponseSelectionConfig
from cube_model.evaluation.run import run_response_selection
from cube_model.training.data import load_training_data
from cube_model.vectors.folder import VectorFolder
from dataset_builders.common.execution import ExecutionSettings
from support.cube_fixtures import invented_dialogues, run_config, write_pairs
from support.tiny_teacher import save_tiny_distilbert

SHARD = 50


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_tiny_distilbert(tmp_path_factory.mktemp("teacher") / "tiny", dimension=16)


@pytest.fixture(scope="module")
def encoder(tiny):
    return Teacher.load(tiny, "float32", "cpu")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(run, "SHARD_TEXTS", SHARD)
    run._load_teacher.cache_clear()


@pytest.fixture
def config(pairs_folder, tiny, tmp_path):
    def make(**changes):
        options = {"data": str(pairs_folder), "out": str(tmp_path / "vectors"), "teacher": str(tiny)}
        return EmbedConfig(**{**options, "teacher_dtype": "float32", "device": "cpu", "progress": False, **changes})

    return make


@pytest.fixture(scope="module")
def written(pairs_folder, tiny, tmp_path_factory):
    """Vectors of the invented pairs, in several shards."""
    out = tmp_path_factory.mktemp("written") / "vectors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "SHARD_TEXTS", SHARD)
        options = {"teacher": str(tiny), "teacher_dtype": "float32", "device": "cpu", "progress": False}
        embed_dataset(EmbedConfig(data=str(pairs_folder), out=str(out), **options))
    return out


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def texts_of(folder):
    distinct = set()
    for file in (folder / "pairs").glob("*.parquet"):
        for row in pq.read_table(file).to_pylist():
            distinct |= {row["anchor"], row["positive"], *(turn["text"] for turn in row["context"])}
    return sorted(distinct)


def count_encoded(monkeypatch, stop_after=None):
    """Record the texts that are encoded, and be interrupted after some shards."""
    encoded, encode = [], Teacher.encode

    def counted(self, batch, **options):
        if stop_after is not None and len(encoded) == stop_after:
            raise KeyboardInterrupt
        encoded.append(list(batch))
        return encode(self, batch, **options)

    monkeypatch.setattr(Teacher, "encode", counted)
    return encoded


def test_every_text_has_one_vector_and_the_record_names_where_it_comes_from(written, pairs_folder, encoder):
    expected, folder = texts_of(pairs_folder), VectorFolder(written)
    record = folder.record
    assert len(folder) == record["texts"] == len(expected)
    assert len(record["shards"]) == -(-len(expected) // SHARD) > 5
    assert record["data"]["folder"] == "data"
    assert record["data"]["configs"] == ["pairs"]
    assert record["teacher"] == encoder.describe()
    assert record["versions"]["torch"]
    cache = EmbeddingCache(written.parent / "cache", vectors=written)
    np.testing.assert_allclose(cache.embed(encoder, expected), encoder.encode(expected), atol=1e-6)
    assert len(cache) == 0
    assert (cache.stats.hits, cache.stats.misses) == (len(expected), 0)


def test_neither_the_files_of_the_dataset_nor_the_memory_change_a_byte(
    written, pairs_folder, config, tmp_path, monkeypatch
):
    monkeypatch.setattr(texts, "_RUN_TEXTS", 40)
    monkeypatch.setattr(texts, "_BATCH_ROWS", 30)
    monkeypatch.setattr(texts, "_BLOCK_TEXTS", 7)
    monkeypatch.setattr(run, "_COUNTED_TEXTS", 100)
    (tmp_path / "other" / "data").mkdir(parents=True)
    data = tmp_path / "other" / "data"
    (data / "README.md").write_text((pairs_folder / "README.md").read_text())
    (data / "pairs").mkdir()
    for file in (pairs_folder / "pairs").iterdir():
        table, split = pq.read_table(file), file.name.partition("-")[0]
        pq.write_table(table[100:], data / "pairs" / f"{split}-00000-of-00002.parquet")
        pq.write_table(table[:100], data / "pairs" / f"{split}-00001-of-00002.parquet")
    embed_dataset(config(data=str(data)))
    assert contents(tmp_path / "vectors") == contents(written)


def test_a_run_that_starts_again_encodes_only_what_is_missing(written, config, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        first = count_encoded(patch, stop_after=3)
        with pytest.raises(KeyboardInterrupt):
            embed_dataset(config())
    assert not (tmp_path / "vectors").exists()
    with pytest.raises(ModelError, match=r"other precision; run again with the same ones, pass --overwrite"):
        embed_dataset(config(precision="float16"))
    second = count_encoded(monkeypatch)
    embed_dataset(config())
    assert contents(tmp_path / "vectors") == contents(written)
    assert len(first) == 3
    assert len(second) == len(VectorFolder(written).record["shards"]) - 3
    assert not list(tmp_path.glob(".*"))  # no working folder is left
    with pytest.raises(ModelError, match="pass --overwrite to replace it"):
        embed_dataset(config())


def test_changed_data_or_teacher_after_an_interruption_is_refused_by_name(config, tiny, tmp_path, monkeypatch):
    dialogues = {"train": invented_dialogues(40)}
    data = write_pairs(tmp_path / "changing" / "data", dialogues)
    with monkeypatch.context() as patch:
        count_encoded(patch, stop_after=1)
        with pytest.raises(KeyboardInterrupt):
            embed_dataset(config(data=str(data)))
    file = next((data / "pairs").iterdir())
    pq.write_table(pq.read_table(file)[:50], file)
    other = save_tiny_distilbert(tmp_path / "other", dimension=8)
    with pytest.raises(ModelError, match="an interrupted run had other data and other teacher"):
        embed_dataset(config(data=str(data), teacher=str(other)))
    record = embed_dataset(config(data=str(data), overwrite=True))
    assert record["texts"] == len(texts_of(data))


def test_a_worker_with_other_libraries_or_another_teacher_is_refused_by_name(config, encoder, monkeypatch):
    check = run._check_worker
    for changes, words in (
        ({"versions": {"torch": "0"}}, r"torch .* instead of 0; install the same versions on all machines"),
        (
            {"teacher": {**encoder.describe(), "fingerprint": "f" * 64}},
            r"another teacher there .* instead of ffffffffffff",
        ),
    ):
        monkeypatch.setattr(run, "_check_worker", lambda plan, teacher, c=changes: check({**plan, **c}, teacher))
        with pytest.raises(ModelError, match=words):
            embed_dataset(config())


LAUNCHED = """
import atexit, sys
import torch
from cube_model.data.embed import run
from cube_model.data.embed.__main__ import main
run.SHARD_TEXTS = int(sys.argv.pop(1))
atexit.register(lambda: sys.stderr.write(f"in a group at exit: {torch.distributed.is_initialized()}\\n"))
main()
"""


@pytest.mark.slow
def test_two_processes_write_the_same_bytes(written, pairs_folder, tiny, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "run.py").write_text(LAUNCHED)
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_addr", "127.0.0.1"]
    launch += ["--master_port", str(port), str(tmp_path / "run.py"), str(SHARD)]
    options = ["--data", pairs_folder, "--out", tmp_path / "vectors", "--teacher", tiny, "--teacher-dtype", "float32"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [*launch, *map(str, options), "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("texts by tiny, 16 dimensions") == 1
    assert (
        done.stderr.count("in a group at exit: False") == 2
    )  # else threads of the group may abort a process that exits
    assert contents(tmp_path / "vectors") == contents(written)


def test_training_and_evaluation_read_the_vectors(written, pairs_folder, tiny, tmp_path, monkeypatch):
    options = {"data": str(pairs_folder), "encoder": str(tiny), "dtype": "float32", "draws": 1}
    training = {"teacher": str(tiny), "output": None}
    _, expected = run_response_selection(ResponseSelectionConfig(**options), cache=EmbeddingCache(tmp_path / "a"))
    expected_data = load_training_data(run_config(str(pairs_folder), cache=tmp_path / "a", **training))
    encoded = count_encoded(monkeypatch)
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(tmp_path / "b"))
    _, output = run_response_selection(ResponseSelectionConfig(vectors=str(written), **options))
    own = {**training, "vectors": str(written)}
    data = load_training_data(run_config(str(pairs_folder), cache=tmp_path / "b", **own))
    create_dialogue_dataset(
        [{"question": expected_data.train.texts[0], "answer": expected_data.train.texts[1]}],
        teacher=str(tiny),
        teacher_dtype="float32",
        device="cpu",
        validation_split=0,
        progress=False,
        enable_quality_filter=False,
        cache_dir=str(tmp_path / "b"),
        vectors=str(written),
    )
    assert encoded == []
    with pytest.raises(ModelError, match="use_cache is False: expected True, since vectors are read through it"):
        DialogueConfig(use_cache=False, vectors="vectors")
    values = [[entry["value"] for entry in each["results"]] for each in (output, expected)]
    assert values[0] == pytest.approx(values[1], abs=1e-5)
    np.testing.assert_allclose(data.train_vectors, expected_data.train_vectors, atol=1e-6)


def test_the_command_writes_vectors_of_several_configs(pairs_folder, tiny, tmp_path):
    app = typer.Typer()
    register(app)
    command = [
        "embed",
        "--data",
        pairs_folder,
        "--teacher",
        tiny,
        "--device",
        "cpu",
        "--quiet",
        "--precision",
        "float16",
    ]
    done = CliRunner().invoke(app, [*map(str, command), "--out", str(tmp_path / "vectors"), "--processes", "1"])
    assert done.exit_code == 0, done.output
    assert f"{len(texts_of(pairs_folder))} texts by tiny, 16 dimensions in float16" in " ".join(done.output.split())
    bad = CliRunner().invoke(app, [*map(str, command), "--out", str(tmp_path / "x"), "--config", "pairs,speeches"])
    assert isinstance(bad.exception, ModelError)
    assert "speeches" in str(bad.exception)


class Scattered:
    """An executor whose tasks arrive as bytes, as on another machine, and run in the reverse order, some of them twice."""

    workers = 3

    def in_order(self, work, count, *, gpus=0, label=None):
        content = pickle.dumps(work)
        results = {number: pickle.loads(content)(number) for number in [*range(count)[::-1], *range(count)[::3]]}
        return iter([results[number] for number in range(count)])


def test_scattered_tasks_over_a_shared_folder_write_the_same_bytes(written, config, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "open_executor", lambda *arguments: nullcontext(Scattered()))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with monkeypatch.context() as patch:
        count_encoded(patch, stop_after=4)
        with pytest.raises(KeyboardInterrupt):
            embed_dataset(config(), ExecutionSettings(executor="ray", scratch=str(scratch)))
    second = count_encoded(monkeypatch)
    embed_dataset(config(), ExecutionSettings(executor="ray", scratch=str(scratch)))
    repeats = -(-len(second) // 4) + 1  # of tasks that run twice
    assert len(second) <= len(VectorFolder(written).record["shards"]) - 4 + repeats
    assert contents(tmp_path / "vectors") == contents(written)
    assert not list(scratch.iterdir())


def test_texts_of_a_dataset_on_the_hub_are_read_at_one_commit(hub, pairs_folder, tmp_path, monkeypatch):
    from huggingface_hub import HfApi

    hub.use_here(monkeypatch)
    repo, api = f"{hub.namespace}/data", HfApi()
    api.create_repo(repo, repo_type="dataset")
    commit = api.upload_folder(repo_id=repo, repo_type="dataset", folder_path=pairs_folder).oid
    code = f"""
import json
from cube_model.data.embed.texts import collect_texts, list_files, read_range
from dataset_builders.common.storage import Storage
files, storage = list_files({repo!r}, ["pairs"]), Storage({str(tmp_path)!r})
runs = [run for number, file in enumerate(files) for run in collect_texts(storage, file, f"texts/{{number}}")]
print(json.dumps([files, sorted(read_range(storage, runs, 0, 2**64).values())]))
"""
    files, texts = hub.json(code)
    assert texts == texts_of(pairs_folder)
    assert {file["path"].partition("/pairs/")[0] for file in files} == {f"hf://datasets/{repo}@{commit}"}
