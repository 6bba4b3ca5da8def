"""Fine-tuning the dialogue embedder: batches, learning, what is written, what is refused."""

import contextlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cube_model.embedder.config import EmbedderConfig
from cube_model.errors import ModelError
from dataset_builders.schema import ARROW_SCHEMAS
from support.annotated_dialogues import write_annotated
from support.tiny_teacher import save_tiny_distilbert

pytest.importorskip("sentence_transformers", reason="install the extra `embedder`")

THINGS = [
    "lamp",
    "piano",
    "ticket",
    "garden",
    "cello",
    "raincoat",
    "ladder",
    "violin",
    "kettle",
    "anvil",
    "tulip",
    "drum",
]
COLOURS = ["red", "blue", "green", "white"]


def pair(number: int, anchor: str, positive: str, **other) -> dict:
    row = dict.fromkeys(ARROW_SCHEMAS["pairs"].names)
    words = "".join(c for c in positive.lower() if c.isalnum() or c == " ")
    row |= {
        "pair_id": f"invented/{number}#0",
        "dialogue_id": f"invented/{number}",
        "turn_index": 0,
        "source": "invented",
        "language": "en",
        "anchor": anchor,
        "positive": positive,
        "anchor_speaker": "user",
        "positive_speaker": "system",
        "answer_id": words,
        "pair_type": "consecutive",
        "license": "CC0-1.0",
        "redistributable": True,
        "context": [{"speaker": "system", "text": f"Welcome, caller {number}."}],
        "domains": [],
        "negatives": [],
        "flags": [],
    }
    return row | other


def rows() -> list[dict]:
    shop = [(colour, thing) for colour in COLOURS for thing in THINGS]
    made = [pair(i, f"Where is the {c} {t}?", f"Your {t} in {c} is here.") for i, (c, t) in enumerate(shop)]
    made += [pair(100 + i, f"Thanks for the {thing}", "Bye!" if i % 2 else "bye") for i, thing in enumerate(THINGS)]
    made += [pair(200, "Where is the leak?", "In the test split.", flags=["leak:dialogue"])]
    return made


def write(folder, pairs: list[dict], group_rows: int = 5000):
    (folder / "pairs").mkdir(parents=True)
    table = pa.Table.from_pylist(pairs, schema=ARROW_SCHEMAS["pairs"])
    pq.write_table(table, folder / "pairs" / "train-00000-of-00001.parquet", row_group_size=group_rows)
    files = "configs:\n- config_name: pairs\n  data_files:\n  - split: train\n    path: pairs/train-*.parquet\n"
    (folder / "README.md").write_text(f"---\n{files}---\n")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedder") / "corpus"
    return write(folder, rows())


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny_distilbert(tmp_path_factory.mktemp("embedder-base") / "tiny", dimension=32)


def config(data, base, output, **options) -> EmbedderConfig:
    fixed = {"batch_size": 12, "epochs": 12, "learning_rate": 5e-3, "device": "cpu", "mixed_precision": "no"}
    return EmbedderConfig(data=data, base=base, output=output, **{**fixed, "threads": 1, "progress": False, **options})


@pytest.fixture(scope="module")
def trained(data, base, tmp_path_factory):
    from cube_model.embedder.trainer import train_embedder

    output = tmp_path_factory.mktemp("embedder-out") / "encoder"
    return output, train_embedder(config(data, base, output))


def weights(folder) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def hits(encode) -> float:
    """Share of questions of the shop whose answer is the nearest of all."""
    pairs = [(row["anchor"], row["positive"]) for row in rows()[: len(THINGS) * len(COLOURS)]]
    questions, answers = (np.asarray(encode([each[i] for each in pairs])) for i in (0, 1))
    return float(((questions @ answers.T).argmax(1) == np.arange(len(pairs))).mean())


def test_it_learns_the_pairs_it_was_given(trained, base):
    from cube_model import Teacher

    output, record = trained
    before, after = (hits(Teacher.load(folder, device="cpu").encode) for folder in (base, output))
    assert record["loss_last"] < 0.5 * record["loss_first"]
    assert after > before + 0.3


def test_sentence_transformers_and_teacher_give_equal_vectors(trained):
    from sentence_transformers import SentenceTransformer

    from cube_model import Teacher

    texts = ["Where is the red lamp?", "Bye!", "A longer text " * 10]
    theirs = SentenceTransformer(str(trained[0]), device="cpu").encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(Teacher.load(trained[0], device="cpu").encode(texts), theirs, atol=1e-5)


def test_same_seed_same_weights(trained, data, base, tmp_path):
    from cube_model.embedder.trainer import train_embedder

    again = train_embedder(config(data, base, tmp_path / "again"))
    other = train_embedder(config(data, base, tmp_path / "other", seed=1, epochs=1))
    assert weights(tmp_path / "again") == weights(trained[0])
    assert weights(tmp_path / "other") != weights(trained[0])
    assert again["data"]["fingerprint"] == other["data"]["fingerprint"]


def test_the_weights_of_the_base_count_as_much_as_its_share(trained, data, base, tmp_path):
    from safetensors.numpy import load_file

    from cube_model.embedder.trainer import train_embedder

    train_embedder(config(data, base, tmp_path / "mean", base_share=0.25))
    before, after, mean = (load_file(f"{place}/model.safetensors") for place in (base, trained[0], tmp_path / "mean"))
    assert mean.keys() == after.keys()
    for name, weight in mean.items():
        np.testing.assert_allclose(weight, 0.75 * after[name] + 0.25 * before[name], atol=1e-6)
    assert any(np.abs(weight - after[name]).max() > 1e-4 for name, weight in mean.items())


def test_an_interrupted_run_goes_on_to_the_same_weights(trained, data, base, tmp_path, monkeypatch):
    from cube_model.embedder import pair_trainer as embedder_trainer
    from cube_model.embedder import trainer as embedder_training

    full, output = len(trained[1]["history"]), tmp_path / "encoder"
    assert full > 1

    class Interrupted(embedder_trainer.PairTrainer):
        def training_step(self, *args, **options):
            if self.state.global_step == 9:
                raise KeyboardInterrupt
            return super().training_step(*args, **options)

    options = {"checkpoint_every": 7}
    monkeypatch.setattr(embedder_trainer, "PairTrainer", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        embedder_training.train_embedder(config(data, base, output, **options))
    monkeypatch.undo()
    assert not output.exists()
    with pytest.raises(ModelError, match="--resume"):
        embedder_training.train_embedder(config(data, base, output, **options))
    with pytest.raises(ModelError, match=r"cannot resume .*: learning-rate was 0\.\d+, now 0\.001; use the same"):
        embedder_training.train_embedder(config(data, base, output, resume=True, learning_rate=1e-3, **options))
    assert not [path for path in tmp_path.rglob("*") if path.name == "training_args.bin"], "a pickle"
    embedder_training.train_embedder(config(data, base, output, resume=True, **options))
    assert weights(output) == weights(trained[0])


STREAMING = {"streaming": True, "shuffle_buffer": 30, "context_turns": 1}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """The same data in six row groups; three or four fit in the buffer."""
    return write(tmp_path_factory.mktemp("parts") / "corpus", rows(), group_rows=13)


@pytest.fixture(scope="module")
def streamed(parts, base, tmp_path_factory):
    from cube_model.embedder.trainer import train_embedder

    output = tmp_path_factory.mktemp("streamed") / "encoder"
    return output, train_embedder(config(parts, base, output, **STREAMING))


def test_streamed_pairs_give_the_weights_of_pairs_in_memory_in_the_same_order(
    streamed, parts, base, tmp_path, monkeypatch
):
    from cube_model.embedder import pair_trainer
    from cube_model.embedder.streamed_data import StreamedEmbedderData
    from cube_model.embedder.trainer import train_embedder

    stream = StreamedEmbedderData(config(parts, base, tmp_path, **STREAMING), "[SEP]")
    sampler = pair_trainer.StreamedAnswersSampler(stream, batch_size=12)
    monkeypatch.setattr(pair_trainer, "DistinctAnswersSampler", lambda *_, **options: sampler)
    record = train_embedder(config(parts, base, tmp_path / "encoder", context_turns=1))
    assert weights(tmp_path / "encoder") == weights(streamed[0])
    assert record["history"] == streamed[1]["history"]
    assert record["data"] == streamed[1]["data"]
    assert record["max_length_in_training"] == streamed[1]["max_length_in_training"]


@pytest.mark.parametrize("processes", [1, 2])
def test_streamed_batches_repeat_no_text_and_each_has_pairs_of_one_buffer(parts, base, tmp_path, processes):
    from cube_model.embedder.pair_trainer import StreamedAnswersSampler
    from cube_model.embedder.streamed_data import StreamedEmbedderData

    stream = StreamedEmbedderData(config(parts, base, tmp_path, **STREAMING), "|")
    sampler, size = StreamedAnswersSampler(stream, batch_size=6, processes=processes), 6 * processes
    epochs = []
    for epoch in (0, 1, 5):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert batches == list(sampler)
        assert len(batches) == len(sampler) > 0
        for start in range(0, len(batches), processes):
            together = [row for batch in batches[start : start + processes] for row in batch]
            texts = stream.at(together)
            assert size == len(together) == len(set(texts.anchors)) == len(set(texts.answer_ids.tolist()))
        epochs.append(batches)
    assert epochs[0] != epochs[1]


def test_a_streamed_training_that_is_interrupted_goes_on_to_the_same_weights(
    streamed, parts, base, tmp_path, monkeypatch
):
    from cube_model.embedder import pair_trainer
    from cube_model.embedder.trainer import train_embedder

    class Interrupted(pair_trainer.PairTrainer):
        def training_step(self, *args, **options):
            if self.state.global_step == 9:
                raise KeyboardInterrupt
            return super().training_step(*args, **options)

    options = {**STREAMING, "checkpoint_every": 8}
    monkeypatch.setattr(pair_trainer, "PairTrainer", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_embedder(config(parts, base, tmp_path / "encoder", **options))
    monkeypatch.undo()
    train_embedder(config(parts, base, tmp_path / "encoder", resume=True, **options))
    assert weights(tmp_path / "encoder") == weights(streamed[0])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"hard_negatives": 2}, "hard_negatives 2 needs all pairs at once, which streaming never reads: leave out one"),
        ({"same_intent": 9}, "same_intent 9 needs all pairs at once"),
        ({"direction": "both"}, "direction both needs all pairs at once"),
        ({"batch_size": 48}, "60 pairs do not fill one batch of 48 .*; lower --batch-size, or raise --shuffle-buffer"),
    ],
)
def test_what_streaming_cannot_do_is_named(parts, base, tmp_path, wrong, words):
    from cube_model.embedder.trainer import train_embedder

    with pytest.raises(ModelError, match=words):
        train_embedder(config(parts, base, tmp_path / "out", **{**STREAMING, **wrong}))


def test_the_record_says_what_the_result_depends_on(trained, base):
    from cube_model.teacher.fingerprint import weights_sha256

    output, record = trained
    assert json.loads((output / "training.json").read_text()) == json.loads(json.dumps(record))
    assert len(record["data"]["fingerprint"]) == 64
    assert record["data"]["licenses"] == ["CC0-1.0"]
    assert record["data"]["sources"] == ["invented"]
    assert record["data"]["left_out"] == 1
    assert record["data"]["pairs"] == 60
    assert record["base"]["weights_sha256"] == weights_sha256(base)
    card = (output / "README.md").read_text()
    assert record["data"]["fingerprint"][:16] in card
    assert "60 pairs of `corpus`" in card
    assert "also occur in a test split: 1." in card
    assert "CC0-1.0" in card
    assert not any(row["anchor"] in card for row in rows())
    assert not list(output.parent.glob(".*"))


@pytest.mark.parametrize("processes", [1, 2])
def test_no_answer_and_no_anchor_twice_in_a_batch(processes):
    from cube_model.embedder.pair_trainer import DistinctAnswersSampler

    rng = np.random.default_rng(0)
    answers, anchors = rng.integers(60, size=600), [f"text {i}" for i in rng.integers(200, size=600)]
    groups = (np.arange(600) >= 400).astype(int)
    sampler = DistinctAnswersSampler(anchors, answers, groups, batch_size=8, processes=processes, seed=3)
    epochs = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert batches == list(sampler)
        assert len(batches) == len(sampler) > 0
        for start in range(0, len(batches), processes):
            together = [i for batch in batches[start : start + processes] for i in batch]
            assert len(together) == 8 * processes == len(set(answers[together])) == len({anchors[i] for i in together})
            assert len(set(groups[together])) == 1
        epochs.append(batches)
    assert epochs[0] != epochs[1]
    used = {i for batch in epochs[0] for i in batch}
    assert len(used) == sum(map(len, epochs[0])) > 400


def test_too_few_different_answers_for_a_batch():
    from cube_model.embedder.pair_trainer import DistinctAnswersSampler

    with pytest.raises(ModelError, match="--batch-size"):
        DistinctAnswersSampler(["a", "b", "c"], np.array([1, 1, 1]), np.zeros(3), batch_size=2)


def test_groups_that_fill_no_batch_share_theirs():
    from cube_model.embedder.pair_trainer import DistinctAnswersSampler

    groups = np.repeat([0, 1, 2], [16, 5, 3])
    sampler = DistinctAnswersSampler([f"text {i}" for i in range(24)], np.arange(24), groups, batch_size=8)
    assert sorted(sorted(set(groups[batch].tolist())) for batch in sampler) == [[0], [0], [1, 2]]


def test_context_and_negatives(data, base, tmp_path):
    from cube_model.embedder.data import load_embedder_data

    plain = load_embedder_data(config(data, base, tmp_path), "|")
    assert plain.anchors[0] == "Where is the red lamp?"
    assert set(plain.groups) == {0}
    more = load_embedder_data(config(data, base, tmp_path, context_turns=2), "|")
    assert more.anchors[0] == "Where is the red lamp?|Welcome, caller 0."
    assert plain.fingerprint != more.fingerprint
    with pytest.raises(ModelError, match="mined negatives"):
        load_embedder_data(config(data, base, tmp_path, hard_negatives=1), "|")


def test_a_mixture_of_all_kinds_learns_and_goes_on_to_the_same_weights(base, tmp_path, monkeypatch):
    from cube_model.embedder import pair_trainer
    from cube_model.embedder.trainer import train_embedder

    class Interrupted(pair_trainer.PairTrainer):
        def training_step(self, *args, **options):
            if self.state.global_step == 9:
                raise KeyboardInterrupt
            return super().training_step(*args, **options)

    corpus = write_annotated(tmp_path / "corpus")
    kinds = dict.fromkeys(("same_intent", "same_action", "templates", "translations"), 100)
    options = {**kinds, "batch_size": 4, "epochs": 1, "label_smoothing": 0.1, "matryoshka": [8], "checkpoint_every": 8}
    record = train_embedder(config(corpus, base, tmp_path / "whole", **options))
    assert record["loss_last"] < record["loss_first"]
    assert set(record["data"]["kinds"]) == {"next_turn", "same_intent", "same_action", "template", "translation"}
    monkeypatch.setattr(pair_trainer, "PairTrainer", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_embedder(config(corpus, base, tmp_path / "parts", **options))
    monkeypatch.undo()
    train_embedder(config(corpus, base, tmp_path / "parts", resume=True, **options))
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")


def test_mined_negatives_and_random_ones_where_there_are_none(base, tmp_path):
    from cube_model.embedder.data import load_embedder_data

    mined = [row | {"negatives": ["Nothing of ours."] if i == 0 else []} for i, row in enumerate(rows()[:30])]
    found = load_embedder_data(config(write(tmp_path / "mined", mined), base, tmp_path, hard_negatives=1), "|")
    assert list(found.columns()) == ["anchor", "positive", "negative_1"]
    assert found.negatives[0][0] == "Nothing of ours."
    assert all(wrong in found.positives for wrong in found.negatives[0][1:])
    assert all(wrong != right for wrong, right in zip(found.negatives[0], found.positives, strict=True))


@pytest.mark.parametrize("symmetric", [True, False])
def test_neither_grouping_by_length_nor_gradient_caching_changes_the_gradient(data, base, tmp_path, symmetric):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    from cube_model.embedder.loss import contrastive_loss

    texts = [("a " * (1 + 7 * i % 90), "b " * (1 + 5 * i % 60)) for i in range(40)]
    both = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"} if symmetric else {}
    found = []
    for kind in ("plain", "by length", "cached"):
        model = SentenceTransformer(str(base), device="cpu").eval()  # without dropout they are comparable
        run = config(
            data, base, tmp_path, batch_size=40, mini_batch_size=8 if kind == "cached" else 40, symmetric=symmetric
        )
        loss = MultipleNegativesRankingLoss(model, **both) if kind == "plain" else contrastive_loss(run, model, [], 1)
        value = loss([model.preprocess([pair[side] for pair in texts]) for side in (0, 1)], None)
        value.backward()
        gradient = {name: weight.grad for name, weight in model.named_parameters()}
        found.append((float(value.detach()), gradient))
    for value, gradient in found[1:]:
        assert value == pytest.approx(found[0][0], abs=1e-5)
        for name, expected in found[0][1].items():
            np.testing.assert_allclose(gradient[name].numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_a_folder_that_is_not_ours_stays(data, base, tmp_path):
    from cube_model.embedder.trainer import train_embedder

    (tmp_path / "precious.txt").write_text("keep me")
    for overwrite in (False, True):
        with pytest.raises(ModelError, match="choose another --output"):
            train_embedder(config(data, base, tmp_path, overwrite=overwrite))
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_frozen_token_embeddings_stay(data, base, tmp_path):
    from safetensors.numpy import load_file

    from cube_model.embedder.trainer import train_embedder

    train_embedder(config(data, base, tmp_path / "frozen", train_embeddings=False, max_steps=3))
    before, after = (load_file(folder / "model.safetensors") for folder in (base, tmp_path / "frozen"))
    name = "embeddings.word_embeddings.weight"
    np.testing.assert_array_equal(before[name], after[name])
    assert any((before[key] != after[key]).any() for key in before)


def test_training_without_dropout_leaves_the_base_as_it_was(base):
    import torch
    from sentence_transformers import SentenceTransformer

    from cube_model.embedder.trainer import fast_cpu_training

    model = SentenceTransformer(str(base), device="cpu")
    encoder = model[0].auto_model

    def state() -> tuple[list[float], str]:
        layers = [module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)]
        return layers, encoder.config._attn_implementation

    before = state()
    assert max(before[0]) > 0
    with fast_cpu_training(model, 0.25, on_processor=True):
        assert state() == ([0.25] * len(before[0]), "eager")
    assert state() == before
    with contextlib.suppress(KeyboardInterrupt), fast_cpu_training(model, 0.0, on_processor=False):
        assert state() == ([0.0] * len(before[0]), before[1])
        raise KeyboardInterrupt
    assert state() == before


def test_without_sentence_transformers_it_says_what_to_install(data, base, tmp_path, monkeypatch):
    import sys

    from cube_model.embedder.trainer import train_embedder

    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ModelError, match=r"dialogue-cube\[embedder\]"):
        train_embedder(config(data, base, tmp_path / "out"))


def test_a_loss_that_is_not_finite_ends_the_run(data, base, tmp_path):
    from cube_model.embedder.trainer import train_embedder

    with pytest.raises(ModelError, match="lower --learning-rate"):
        train_embedder(config(data, base, tmp_path / "wild", learning_rate=1e30, max_steps=9))
    assert not (tmp_path / "wild").exists()


@pytest.mark.parametrize(
    "wrong", [{"batch_size": 1}, {"warmup": 1.0}, {"direction": "up"}, {"scale": 0.0}, {"dropout": 1.0}]
)
def test_wrong_arguments_are_named(wrong):
    with pytest.raises(ModelError, match=f"^{next(iter(wrong))}: expected "):
        EmbedderConfig(data="x", output="y", **wrong)


def test_the_command_shows_an_error_in_one_line(base, tmp_path):
    from typer.testing import CliRunner

    from cube_model.embedder.__main__ import app

    result = CliRunner().invoke(app, ["--data", str(tmp_path), "--base", str(base), "--output", str(tmp_path / "out")])
    assert isinstance(result.exception, ModelError)
    assert "\n" not in str(result.exception)
