"""Encoders trained together with what composes their vectors of turns: gradients, batches, what is written, errors."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from cube_model.errors import ModelError
from support.dialogue_turns import config, rows, write_dialogues
from support.tiny_teacher import save_tiny_distilbert

pytest.importorskip("sentence_transformers", reason="install the extra `embedder`")

COMPOSERS = ["cube", "attention", "gru", "mean"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_dialogues(tmp_path_factory.mktemp("joint") / "corpus")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny_distilbert(tmp_path_factory.mktemp("joint-base") / "tiny", dimension=32)


@pytest.fixture(scope="module")
def trained(data, base, tmp_path_factory):
    from cube_model.embedder.trainer import train_embedder

    output = tmp_path_factory.mktemp("joint-out") / "encoder"
    return output, train_embedder(config(data, base, output))


def untrained(base, composer: str):
    """A model whose composer differs from the identity."""
    from cube_model.embedder.joint import with_composer
    from cube_model.embedder.trainer import load_base

    run = config("none", base, "none", composer=composer, composer_steps=None)
    torch.manual_seed(0)
    model = with_composer(load_base(run)[0], run, " [SEP] ").eval()
    for weight in model[0].model.composer.parameters():
        weight.data.add_(0.1 * torch.randn_like(weight))
    return model


@pytest.mark.parametrize("composer", COMPOSERS)
def test_the_gradient_reaches_the_encoder_through_the_composer(base, composer):
    model = untrained(base, composer)
    features = model.preprocess([["xyz", "abc"], ["abc"]])
    model(features)["sentence_embedding"][0].pow(3).sum().backward()
    gradient = model[0].auto_model.get_input_embeddings().weight.grad
    tokens = {letter: model.tokenizer.convert_tokens_to_ids(letter) for letter in "axq"}
    assert gradient[tokens["a"]].abs().sum() > 0  # of the question
    assert gradient[tokens["x"]].abs().sum() > 0  # of the turn before it
    assert gradient[tokens["q"]].abs().sum() == 0
    assert all(
        weight.grad.abs().sum() > 0 for name, weight in model[0].model.composer.named_parameters() if "write" in name
    )


@pytest.mark.parametrize("composer", COMPOSERS)
def test_a_composer_starts_from_the_question_and_ignores_missing_turns(base, composer):
    from transformers import AutoConfig

    from cube_model.core.composers import make_composer
    from cube_model.core.configuration_turns import TurnsConfig
    from cube_model.core.modeling_turns import TurnsModel

    encoder = AutoConfig.from_pretrained(base).to_dict()
    settings = TurnsConfig(encoder=encoder, embedding_dim=32, composer=composer, context_turns=2)
    turns = torch.nn.functional.normalize(torch.randn(5, 3, 32), dim=-1)
    first = TurnsModel(settings).compose(turns)
    expected = turns.mean(1) if composer == "mean" else turns[:, 0]
    torch.testing.assert_close(first, torch.nn.functional.normalize(expected, dim=-1))
    model = untrained(base, composer)[0].model
    missing = torch.cat([turns[:, :1], torch.zeros(5, 2, 32)], dim=1)
    torch.testing.assert_close(model.compose(turns[:, :1]), model.compose(missing))
    sizes = {kind: sum(weight.numel() for weight in make_composer(kind, 384, 4).parameters()) for kind in COMPOSERS}
    assert 0.95 < sizes[composer] / sizes["cube"] < 1.05 or composer == "mean"


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_text_of_a_batch_is_encoded_once_which_changes_neither_loss_nor_gradient(base, symmetric):
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    from cube_model.embedder.joint import composed_columns
    from cube_model.embedder.loss import contrastive_loss

    chat = [f"turn {'xyz' * (i % 3)} {i}" for i in range(12)]
    anchors = [" [SEP] ".join(reversed(chat[max(0, i - 2) : i + 1])) for i in range(0, 12, 2)]
    positives = chat[1::2]
    both = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"} if symmetric else {}
    found = []
    for kind in ("one by one", "distinct"):
        model = untrained(base, "cube")
        encoded = []
        model[0].auto_model.register_forward_hook(
            lambda module, inputs, output, seen=encoded: seen.append(len(output[0]))
        )
        features = [model.preprocess(anchors, task="query"), model.preprocess(positives, task="document")]
        if kind == "distinct":
            run = config("none", base, "none", symmetric=symmetric)
            loss = contrastive_loss(run, model, None, 1, composed_columns)
            value = loss(features, None)
            assert sum(encoded) == len(chat)
        else:
            loss = MultipleNegativesRankingLoss(model, **both)
            vectors = [
                torch.cat(
                    [model(model.preprocess([text], task=task), task=task)["sentence_embedding"] for text in texts]
                )
                for task, texts in (("query", anchors), ("document", positives))
            ]
            value = loss.compute_loss_from_embeddings(vectors, None)
            assert sum(encoded) > len(chat)
        value.backward()
        found.append((value.item(), {name: weight.grad for name, weight in model.named_parameters()}))
    assert found[0][0] == pytest.approx(found[1][0], abs=1e-5)
    for name, expected in found[0][1].items():
        np.testing.assert_allclose(found[1][1][name].numpy(), expected.numpy(), rtol=1e-3, atol=1e-5, err_msg=name)


def test_it_learns_to_read_the_turns_before_a_question(trained):
    from cube_model.core.sentence_turns import TurnsText

    output, record = trained
    assert record["loss_last"] < 0.3 * record["loss_first"]
    module = TurnsText.load(str(output)).eval()
    later = [row for row in rows() if row["turn_index"] == 2]
    conversations = [[turn["text"] for turn in row["context"]] + [row["anchor"]] for row in later]
    with torch.inference_mode():
        questions, alone, answers = (
            module(module.preprocess(texts, task=task), task=task)["sentence_embedding"]
            for task, texts in (
                ("query", conversations),
                ("query", [row["anchor"] for row in later]),
                ("document", [row["positive"] for row in later]),
            )
        )
    right = torch.arange(len(later))
    assert ((questions @ answers.T).argmax(1) == right).float().mean() > 0.6
    assert ((alone @ answers.T).argmax(1) == right).float().mean() < 0.1


def test_an_interrupted_run_goes_on_to_the_same_weights(trained, data, base, tmp_path, monkeypatch):
    from cube_model.embedder import pair_trainer
    from cube_model.embedder.trainer import train_embedder

    class Interrupted(pair_trainer.PairTrainer):
        def training_step(self, *args, **options):
            if self.state.global_step == 9:
                raise KeyboardInterrupt
            return super().training_step(*args, **options)

    output = tmp_path / "encoder"
    monkeypatch.setattr(pair_trainer, "PairTrainer", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_embedder(config(data, base, output, checkpoint_every=8))
    monkeypatch.undo()
    train_embedder(config(data, base, output, checkpoint_every=8, resume=True))
    weights = [(folder / "model.safetensors").read_bytes() for folder in (output, trained[0])]
    assert weights[0] == weights[1]
    assert not list(output.glob("*.bin"))


OPEN = """
import json, sys
import numpy as np

class Hidden:
    def find_spec(self, name, *rest):
        if name.split(".")[0] in ("cube_model", "dataset_builders", "push_scripts"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hidden())
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

folder, turns = sys.argv[1], json.loads(sys.argv[2])
model = SentenceTransformer(folder, trust_remote_code=True, device="cpu")
chat = model[0].conversation()
chat.add("a turn too old to be read")
assert chat.add(*turns[:-1]).shape == (2, 32)
chat.add(*model[0].conversation().add(turns[-1]))  # a vector in place of the text
messages = [{"role": "user", "content": turn} for turn in turns]
own = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
features = model.preprocess([turns])
with torch.inference_mode():
    output = own(features["input_ids"], features["attention_mask"], features["turns"])
assert model.similarity(chat.vector(), model.encode_document(turns)).shape == (1, 3)
np.savez(folder + ".npz", turns=model.encode_query([turns])[0], chat=chat.vector(), auto=output.embeddings[0],
    messages=model.encode([messages])[0], text=model.encode_query(" [SEP] ".join(reversed(turns))),
    alone=model.encode_query(turns[-1]), answer=model.encode_document(turns[-1]))
model.save_pretrained(folder + "-again", create_model_card=False)
again = SentenceTransformer(folder + "-again", trust_remote_code=True, device="cpu")
assert np.array_equal(again.encode_query([turns]), model.encode_query([turns]))
"""


def test_the_folder_gives_others_the_vectors_of_the_training(trained, tmp_path):
    from cube_model import Teacher

    output, _ = trained
    turns = ["is there a boat at the lake", "yes a boat", "how many"]
    environment = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", OPEN, str(output), json.dumps(turns)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    teacher = Teacher.load(output, device="cpu")
    cached = torch.from_numpy(teacher.encode(turns))
    with torch.inference_mode():
        expected = teacher.composed.compose(cached.flip(0)[None])[0].numpy()
    found = np.load(f"{output}.npz")
    for way in ("turns", "chat", "auto", "messages", "text"):
        np.testing.assert_allclose(found[way], expected, atol=1e-5, err_msg=way)
    assert np.abs(found["alone"] - expected).max() > 0.01
    np.testing.assert_allclose(found["answer"], cached[-1].numpy(), atol=1e-5)


def test_the_card_shows_how_to_pass_turns_and_an_output_is_replaced_only_on_request(trained, data, base):
    from cube_model.embedder.trainer import train_embedder

    output, record = trained
    card = (output / "README.md").read_text()
    assert "trust_remote_code=True" in card
    assert "model[0].conversation()" in card
    assert "(cube) was trained alone first, then together with the encoder." in card
    assert f"{record['parameters']:,}" in card
    assert record["parameters"] > record["base"]["parameters"]
    assert json.loads((output / "modules.json").read_text())[0]["type"] == "sentence_turns.TurnsText"
    with pytest.raises(ModelError, match="--overwrite"):
        train_embedder(config(data, base, output))


def test_a_push_uploads_the_code_with_the_weights(trained):
    from push_scripts.model_folder import OWNED, read_model_folder

    folder = read_model_folder(trained[0])
    code = {path.name for path in trained[0].glob("*.py")}
    assert folder.kind == "embedder"
    assert folder.parameters == trained[1]["parameters"]
    assert code == {name for name in folder.files if name.endswith(".py")}
    assert all(OWNED.fullmatch(name) for name in code)


def test_response_selection_evaluates_the_composed_turns(trained, data, tmp_path):
    from cube_model import EmbeddingCache
    from cube_model.evaluation.config import ResponseSelectionConfig
    from cube_model.evaluation.run import run_response_selection

    evaluation = ResponseSelectionConfig(data=str(data), encoder=str(trained[0]))
    reports, _ = run_response_selection(evaluation, cache=EmbeddingCache(tmp_path))
    results = [result for result in reports["invented"].results if result.negatives == "random"]
    best = {result.method.name: result.metrics["mrr"][0] for result in results}
    assert set(best) == {"identity", "composed turns"}
    assert best["composed turns"] > best["identity"] + 0.2


def test_in_bfloat16_the_composer_still_reads_float32(trained):
    from cube_model.teacher.teacher import Teacher

    folder, _ = trained
    whole, half = (Teacher.load(str(folder), dtype, "cpu").composed for dtype in ("float32", "bfloat16"))
    assert {weight.dtype for weight in half.encoder.parameters()} == {torch.bfloat16}
    vectors = torch.nn.functional.normalize(torch.randn(4, 3, 32), dim=-1)
    with torch.inference_mode():
        assert torch.equal(half.compose(vectors), whole.compose(vectors))


def test_frozen_layers_stay(base, data, tmp_path):
    from safetensors.torch import load_file
    from transformers import DistilBertConfig, DistilBertModel

    from cube_model.embedder.trainer import train_embedder

    deep = save_tiny_distilbert(tmp_path / "deep", dimension=32)
    settings = DistilBertConfig.from_pretrained(base, n_layers=2)
    DistilBertModel(settings).save_pretrained(deep)
    shared = {"max_steps": 2, "train_embeddings": False}
    with pytest.raises(ModelError, match=r"frozen_layers is 2: base .* has 2 layers"):
        train_embedder(config(data, deep, tmp_path / "out", frozen_layers=2, **shared))
    train_embedder(config(data, deep, tmp_path / "out", frozen_layers=1, **shared))
    before, after = (load_file(folder / "model.safetensors") for folder in (deep, tmp_path / "out"))
    changed = {name for name, weight in before.items() if not torch.equal(weight, after[f"encoder.{name}"])}
    assert changed
    assert all(name.startswith("transformer.layer.1.") for name in changed)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"context_turns": 0}, "composer cube has no turns to compose: set --context-turns"),
        ({"mini_batch_size": 8}, "mini_batch_size is 8: with a composer, expected at least batch_size = 12"),
        ({"static": 32}, "composer cube needs a transformer: leave out static"),
        ({"composer": "transformer"}, "^composer: expected "),
        ({"frozen_layers": 1}, "only with --freeze-embeddings"),
        ({"streaming": True}, "neighbours 2 needs all pairs at once"),
        ({"streaming": True, "neighbours": 1}, "composer_steps 60 needs all pairs at once"),
        ({"composer": "mean"}, "composer mean has no weights: leave out composer_steps"),
        ({"max_steps": 0, "composer_steps": 0}, "max_steps is 0: nothing is trained"),
    ],
)
def test_wrong_arguments_are_named(wrong, words):
    with pytest.raises(ModelError, match=words):
        config("x", "y", "z", **wrong)


def test_a_conversation_without_turns_and_an_answer_of_several_turns_are_refused(base):
    module = untrained(base, "mean")[0]
    with pytest.raises(ValueError, match="no turn yet"):
        module.conversation().vector()
    with pytest.raises(ValueError, match="an answer is one text"):
        module.preprocess([["one", "two"]], task="document")
    assert module.preprocess(["one [SEP] two"], task="document")["turns"].tolist() == [[0]]
