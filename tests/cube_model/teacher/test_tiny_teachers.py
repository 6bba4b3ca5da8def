"""Compare tiny random models of every family with the simplest reference: one text at a time, without padding."""

import numpy as np
import pytest
import torch

from cube_model import ModelError, Teacher
from cube_model.core.pooling import pool
from cube_model.teacher.teacher import length_batches

TEXTS = [
    "i need a cheap room",
    "yes",
    "",
    "could you find me a table for four people near the old harbour",
    "da спасибо",
    "yes",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z " * 4,
]

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
LLAMA = {**SMALL, "num_key_value_heads": 2, "max_position_embeddings": 64}
MODELS = {
    "bert": ("BertConfig", {**SMALL, "max_position_embeddings": 64}),
    "distilbert": (
        "DistilBertConfig",
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 64},
    ),
    # positions start after the padding token's id, so 64 tokens need 66 positions
    "roberta": ("RobertaConfig", {**SMALL, "max_position_embeddings": 66, "pad_token_id": 1}),
    "gpt2": ("GPT2Config", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}),
    "llama": ("LlamaConfig", LLAMA),
    "mistral": ("MistralConfig", {**LLAMA, "sliding_window": 8}),
}
CAUSAL = ("gpt2", "llama", "mistral")


def make_tokenizer(causal, side):
    """Train a word-level tokenizer on `TEXTS`. For causal models it adds no padding or special tokens, like GPT-2."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(TEXTS, trainers.WordLevelTrainer(special_tokens=special))
    if not causal:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
    named = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"} | ({} if causal else {"pad_token": "<pad>"})
    inputs = ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, padding_side=side, model_input_names=inputs, model_max_length=512, **named
    )


def make(folder, kind, side="right"):
    import transformers

    name, options = MODELS[kind]
    tokenizer = make_tokenizer(kind in CAUSAL, side)
    torch.manual_seed(0)
    config = getattr(transformers, name)(vocab_size=len(tokenizer), **options)
    model = transformers.AutoModel.from_config(config)
    for parameter in model.parameters():  # default initial weights give nearly equal embeddings for all texts
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    cache = {}

    def get(kind, side="right"):
        if (kind, side) not in cache:
            cache[kind, side] = make(tmp_path_factory.mktemp(f"{kind}-{side}"), kind, side)
        return cache[kind, side]

    return get


def states_of(folder, text, limit=64):
    """Compute the token states of one text with transformers alone: no padding, no mask."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    ids = tokenizer(text)["input_ids"][:limit] or [tokenizer.eos_token_id]
    if tokenizer.bos_token_id in ids and len(ids) == limit:
        ids[-1] = tokenizer.eos_token_id  # truncation keeps the special tokens
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids])).last_hidden_state[0]


def expected(folder, texts, pooling):
    rows = []
    for text in texts:
        states = states_of(folder, text)
        vector = {"mean": states.mean(0), "cls": states[0], "last": states[-1]}[pooling]
        rows.append((vector / vector.norm()).numpy())
    return np.stack(rows)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("kind", MODELS)
def test_embeddings_equal_those_of_single_texts(folders, kind, side):
    folder = folders(kind, side)
    for pooling in ("mean", "cls", "last"):
        if pooling == "cls" and kind in CAUSAL:  # the first token of a causal model only attends to itself
            continue
        teacher = Teacher.load(folder, device="cpu", pooling=pooling)
        vectors = teacher.encode(TEXTS)
        np.testing.assert_allclose(vectors, expected(folder, TEXTS, pooling), atol=2e-5, err_msg=pooling)
        # without a difference between texts, the comparison would prove nothing
        assert np.abs(vectors[0] - vectors[3]).max() > 1e-3
        np.testing.assert_allclose(teacher.encode(TEXTS, batch_tokens=1), vectors, atol=2e-5)


@pytest.mark.parametrize("kind", ["roberta", "gpt2", "llama"])
def test_texts_are_truncated_to_the_number_of_positions(folders, kind):
    teacher = Teacher.load(folders(kind), device="cpu")
    assert teacher.max_length == 64
    assert np.array_equal(teacher.encode(["a b c " * 30]), teacher.encode(["a b c " * 90]))
    assert Teacher.load(folders(kind), device="cpu", max_length=8).max_length == 8
    assert Teacher.load(folders(kind), device="cpu", max_length=1000).max_length == 64


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_pooling_ignores_left_padding(folders, kind, pooling):
    """Generative models pad on the left. The padding states are NaN, so that using one of them fails the test."""
    from transformers import AutoModel, AutoTokenizer

    folder = folders(kind)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    ids = [tokenizer(text)["input_ids"] for text in (TEXTS[0], TEXTS[1], TEXTS[3])]
    width = max(map(len, ids))
    padded = torch.tensor([[3] * (width - len(row)) + row for row in ids])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids])
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    with torch.inference_mode():
        states = model(input_ids=padded, attention_mask=mask, position_ids=positions).last_hidden_state
    states = torch.where(mask[..., None].bool(), states, float("nan"))
    pooled = torch.nn.functional.normalize(pool(states, mask.bool(), pooling), dim=-1)
    np.testing.assert_allclose(pooled.numpy(), expected(folder, [TEXTS[0], TEXTS[1], TEXTS[3]], pooling), atol=2e-5)


def test_batches_respect_the_token_budget():
    lengths = [5, 1, 9, 1, 3, 30, 2]
    batches = list(length_batches(lengths, 10))
    assert sorted(np.concatenate(batches).tolist()) == list(range(7))
    for rows in batches:
        assert len(rows) == 1 or len(rows) * max(lengths[i] for i in rows) <= 10
    assert len(batches) < 7
    assert list(length_batches([], 10)) == []


def test_fingerprint_changes_with_the_embeddings(folders, tmp_path):
    """A setting changes the fingerprint if and only if it affects embeddings."""
    folder = folders("bert")
    first = Teacher.load(folder, device="cpu")
    others = [
        Teacher.load(folder, device="cpu", **change)
        for change in (
            {"pooling": "cls"},
            {"prefix": "query: "},
            {"normalize": False},
            {"max_length": 32},
            {"dtype": "bfloat16"},
            {"dtype": "float16"},
        )
    ]
    assert len({first.fingerprint, *(teacher.fingerprint for teacher in others)}) == 1 + len(others)
    copy = make(tmp_path / "copy", "bert")
    assert Teacher.load(copy, device="cpu").fingerprint == first.fingerprint
    config = (copy / "config.json").read_text()
    (copy / "config.json").write_text(config.replace('"transformers_version": "', '"transformers_version": "0.'))
    assert Teacher.load(copy, device="cpu").fingerprint == first.fingerprint
    (copy / "config.json").write_text(config.replace('"hidden_act": "gelu"', '"hidden_act": "relu"'))
    assert Teacher.load(copy, device="cpu").fingerprint != first.fingerprint
    (copy / "config.json").write_text(config)
    tokenizer = (copy / "tokenizer.json").read_text()
    (copy / "tokenizer.json").write_text(tokenizer.replace('"normalizer": null', '"normalizer": {"type": "Lowercase"}'))
    assert Teacher.load(copy, device="cpu").fingerprint != first.fingerprint


def test_unnormalised_embeddings_keep_their_norm(folders):
    plain = Teacher.load(folders("bert"), device="cpu", normalize=False)
    vectors = plain.encode(TEXTS)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.abs(norms - 1).max() > 0.1
    np.testing.assert_allclose(vectors / norms, Teacher.load(folders("bert"), device="cpu").encode(TEXTS), atol=1e-5)


def test_error_names_the_missing_device(folders):
    with pytest.raises(ModelError, match="device nonsense cannot be used"):
        Teacher.load(folders("bert"), device="nonsense")
