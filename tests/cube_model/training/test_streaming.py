"""Training on pairs that are streamed: the same core as in memory on the same order, after any interruption."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from cube_model import CubeTrainer, EmbeddingCache, ModelError
from cube_model.data.embed.config import EmbedConfig
from cube_model.data.embed.run import embed_dataset
from cube_model.data.pair_stream import BufferedOrder, PairSelection, PairStream, RecentGroups
from cube_model.data.pairs import joined_turns, load_pairs
from cube_model.data.training_data import StreamedTrainingData
from cube_model.training import core_trainer
from cube_model.training.data import batch_loader, load_training_data, load_training_pairs, stream_loader
from cube_model.training.output import RECORD
from support.cube_fixtures import GROUP_ROWS, invented_dialogues, run_config, write_pairs
from support.vector_training import Steps, StoppedError, Vectors

BUFFER = 100
"""Pairs of the buffer: three of the 13 row groups."""


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """A cache, so that both trainings read the same vectors to the last bit."""
    return tmp_path_factory.mktemp("streaming-cache")


@pytest.fixture(scope="module")
def data(pairs_in_groups):
    return pairs_in_groups


@pytest.fixture(scope="module")
def tiny(tiny_teacher):
    return tiny_teacher


@pytest.fixture(scope="module")
def streamed(data, tiny, vectors, tmp_path_factory):
    """A core trained on streamed pairs."""
    output = tmp_path_factory.mktemp("streamed") / "core"
    return CubeTrainer(streaming_config(data, tiny, vectors, output)).train()["output"]


def streaming_config(data, tiny, cache, output, **options):
    streaming = {"streaming": True, "shuffle_buffer": BUFFER, "teacher": str(tiny), "epochs": 3}
    return run_config(data, output, cache, **{**streaming, **options})


def weights(core):
    return (core / "model.safetensors").read_bytes()


def test_a_stream_holds_the_pairs_of_memory_under_the_same_numbers(data):
    for options in ({"context_turns": 2}, {"direction": ("system", "user")}):
        stream, pairs = PairStream(data, PairSelection("train", **options)), load_pairs(data, "train", **options)
        assert len(stream.survey.counts) == 13
        assert stream.survey.fingerprint == pairs.fingerprint
        assert stream.survey.origins == {("invented", "CC0-1.0", "en")}
        rows = np.array([3, 4, 200, len(pairs) - 1])
        some, expected = stream.pairs(rows), pairs.select(rows)
        assert joined_turns(some, "|") == joined_turns(expected, "|")
        assert [some.texts[i] for i in some.answers] == [pairs.texts[i] for i in expected.answers]
        assert np.array_equal(some.labels, expected.labels)


def test_an_order_mixes_row_groups_and_depends_on_seed_and_epoch_alone():
    order = BufferedOrder([7] * 20, buffer=30, seed=5)
    first = list(order)
    assert sorted(first) == list(range(len(order))) == list(range(140))
    blocks = list(order.blocks())
    assert [len(block) for block in blocks] == [35, 35, 35, 35]
    assert all(len(set(block // 7)) == 5 and np.ptp(block // 7) > 5 for block in blocks)
    order.set_epoch(1)
    assert sorted(order) == sorted(first) != first != list(order)
    order.set_epoch(0)
    assert list(order) == first


def test_memory_holds_the_row_groups_of_one_buffer_and_each_is_read_once_an_epoch(data):
    stream = PairStream(data, PairSelection("train"))
    order, held, most = BufferedOrder(stream.survey.counts, buffer=BUFFER, seed=0), [], 0

    def load(group):
        held.append(group)
        return group

    groups, rows = RecentGroups(load, stream, order.largest_block), list(order)
    for start in range(0, len(rows), 16):
        for group, at, within in stream.places(rows[start : start + 16]):
            assert groups[group] == group
            assert [stream.starts[group] + i for i in within] == [rows[start + i] for i in at]
            most = max(most, sum(stream.survey.counts[group] for group in groups._contents))
    assert most <= order.largest_block < len(stream) / 2
    assert sorted(held) == list(range(13))


def test_streamed_pairs_train_the_same_core_as_pairs_in_memory_in_the_same_order(
    streamed, data, tiny, vectors, tmp_path, monkeypatch
):
    counts = PairStream(data, PairSelection("train")).survey.counts
    monkeypatch.setattr(
        core_trainer,
        "training_batches",
        lambda data, seed, **options: batch_loader(
            data.train, data.train_vectors, **options, order=BufferedOrder(counts, buffer=BUFFER, seed=seed)
        ),
    )
    in_memory = run_config(data, tmp_path / "core", vectors, teacher=str(tiny), epochs=3)
    core = CubeTrainer(in_memory).train()["output"]
    ours, theirs = (json.loads((folder / RECORD).read_text()) for folder in (streamed, core))
    assert ours["history"] == theirs["history"]
    assert ours["data"] == theirs["data"]
    assert weights(streamed) == weights(core)


@pytest.mark.parametrize(("stop_at", "checkpoint_every"), [(3, 2), (20, 3)])
def test_a_resumed_training_goes_on_at_its_position_to_the_same_core(
    streamed, data, tiny, vectors, tmp_path, monkeypatch, stop_at, checkpoint_every
):
    """An epoch has seven steps; the run stops in the first or in the third one."""
    output, options = tmp_path / "core", {"checkpoint_every": checkpoint_every}
    with pytest.raises(StoppedError):
        CubeTrainer(streaming_config(data, tiny, vectors, output, **options), callbacks=[Steps(stop_at)]).train()
    if stop_at == 3:
        other = streaming_config(data, tiny, vectors, output, resume=True, **{**options, "shuffle_buffer": 200})
        with pytest.raises(ModelError, match="shuffle-buffer was 100, now 200"):
            CubeTrainer(other).train()
    read, load = [], StreamedTrainingData.load
    monkeypatch.setattr(StreamedTrainingData, "load", lambda data, group: read.append(group) or load(data, group))
    resumed = Steps()
    CubeTrainer(streaming_config(data, tiny, vectors, output, resume=True, **options), callbacks=[resumed]).train()
    assert resumed.steps[0] == stop_at // checkpoint_every * checkpoint_every + 1
    assert weights(output) == weights(streamed)
    if stop_at == 20:
        assert len(read) < 13, "what was trained on before is not read again"


def test_vectors_on_disk_are_used_in_place_of_encoding(streamed, data, tiny, tmp_path):
    out = tmp_path / "vectors"
    options = {"teacher": str(tiny), "teacher_dtype": "float32", "device": "cpu", "progress": False}
    embed_dataset(EmbedConfig(data=str(data), out=str(out), **options))
    config = streaming_config(data, tiny, tmp_path / "empty", tmp_path / "core", vectors=str(out), epochs=1)
    CubeTrainer(config).train()
    assert len(EmbeddingCache(tmp_path / "empty")) == 0
    ours, theirs = (json.loads((core / RECORD).read_text())["history"] for core in (tmp_path / "core", streamed))
    assert ours[1]["loss"] == pytest.approx(theirs[1]["loss"], rel=0.05)


def test_batches_with_mined_negatives_and_turns_are_those_of_memory(data, tiny, vectors, tmp_path):
    folder = Path(shutil.copytree(data, tmp_path / "data"))
    for file in (folder / "pairs").iterdir():
        table = pq.read_table(file)
        answers = table["positive"].to_pylist()
        negatives = [[answers[i - 1], answers[i - 3]][: i % 3] for i in range(len(answers))]
        pq.write_table(table.append_column("negatives", [negatives]), file, row_group_size=GROUP_ROWS)
    options = {"hard_negatives": 2, "context_turns": 2}
    found = load_training_data(streaming_config(folder, tiny, vectors, tmp_path / "core", **options))
    memory = load_training_data(run_config(folder, tmp_path / "core", vectors, teacher=str(tiny), **options))
    order = BufferedOrder(found.stream.survey.counts, buffer=BUFFER, seed=3)
    streamed = stream_loader(found, batch_size=64, turns=3, seed=3)
    expected = batch_loader(memory.train, memory.train_vectors, batch_size=64, turns=3, order=order)
    for ours, theirs in zip(streamed, expected, strict=True):
        assert ours.keys() == theirs.keys() == {"questions", "answers", "negatives", "labels", "rows"}
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
        assert ours["negatives"].any()


def test_validation_pairs_are_those_of_memory(data, tiny, vectors, tmp_path):
    options = {"max_validation_pairs": 50, "context_turns": 2}
    config = streaming_config(data, tiny, vectors, tmp_path / "core", **options)
    found, (_, expected) = load_training_data(config), load_training_pairs(config)
    assert len(expected) == 50
    assert joined_turns(found.validation, "|") == joined_turns(expected, "|")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"validation": "k-fold"}, "validation k-fold needs all pairs at once, which streaming never reads"),
        ({"mode": "autoencoder", "context_turns": 0}, "mode autoencoder needs all pairs at once"),
        ({"max_pairs": 100}, "max_pairs 100 needs all pairs at once"),
        ({"streaming": False}, r"shuffle_buffer is for streaming: set streaming too \(--streaming\)"),
        (
            {"shuffle_buffer": 50},
            "shuffle_buffer is 50, less than the 64 pairs of a step: raise it, or lower batch_size",
        ),
        ({"shuffle_buffer": 1}, "shuffle_buffer: expected a whole number of at least 2, found 1"),
        ({"sources": ["sgd"]}, "no source sgd in split train; choose from invented"),
        ({"hard_negatives": 1}, "the pairs config lacks negatives"),
    ],
)
def test_what_streaming_cannot_do_is_named_in_one_line(data, tiny, vectors, tmp_path, options, words):
    with pytest.raises(ModelError, match=words) as caught:
        CubeTrainer(streaming_config(data, tiny, vectors, tmp_path / "core", **options)).train()
    assert "\n" not in str(caught.value)


def test_a_dataset_in_memory_is_not_streamed(data, tiny, vectors, tmp_path):
    with pytest.raises(ModelError, match=r"streaming reads the pairs of `data`, but train\(\) got a dataset"):
        CubeTrainer(streaming_config(data, tiny, vectors, tmp_path / "core")).train(Vectors())


def test_data_that_fit_in_the_buffer_are_trained_on_with_a_warning(data, tiny, vectors, tmp_path, caplog):
    config = streaming_config(data, tiny, vectors, tmp_path / "core", shuffle_buffer=None, epochs=1)
    assert CubeTrainer(config).train()["epochs"] == 1
    assert "all 480 training pairs fit in the shuffle buffer of 50,000" in caplog.text


def test_a_stream_needs_a_validation_split(tiny, vectors, tmp_path):
    folder = write_pairs(tmp_path / "data", {"train": invented_dialogues(5)})
    with pytest.raises(
        ModelError, match=r"no validation pairs, and streaming cannot hold out .* or leave out streaming"
    ):
        CubeTrainer(streaming_config(folder, tiny, vectors, tmp_path / "core")).train()


def test_files_that_change_while_they_are_read_are_reported(data, tmp_path):
    folder = Path(shutil.copytree(data, tmp_path / "data"))
    stream = PairStream(folder, PairSelection("train"))
    file = folder / "pairs" / "train-00000-of-00002.parquet"
    pq.write_table(pq.read_table(file).slice(0, 140), file, row_group_size=GROUP_ROWS - 1)
    with pytest.raises(ModelError, match="the split train has changed while it is read; start again"):
        stream.load(0)
    with pytest.raises(ModelError, match=r"train-00000-of-00002.parquet: cannot load the rows"):
        stream.load(3)


def test_pairs_on_the_hub_are_those_of_the_folder(hub, data, monkeypatch):
    from huggingface_hub import HfApi

    hub.use_here(monkeypatch)
    repo, api = f"{hub.namespace}/data", HfApi()
    api.create_repo(repo, repo_type="dataset")
    api.upload_folder(repo_id=repo, repo_type="dataset", folder_path=data)
    code = f"""
import json
from cube_model.data.pair_stream import PairStream, PairSelection
stream = PairStream({repo!r}, PairSelection("train", context_turns=1))
print(json.dumps([stream.survey.fingerprint, stream.survey.counts, stream.pairs([7, 300]).fingerprint]))
"""
    stream = PairStream(data, PairSelection("train", context_turns=1))
    assert hub.json(code) == [stream.survey.fingerprint, stream.survey.counts, stream.pairs([7, 300]).fingerprint]
