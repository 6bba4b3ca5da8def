"""A static encoder: distilled, trained, and used as teacher of a core, here and by strangers."""

import numpy as np
import pytest

from cube_model.embedder.config import EmbedderConfig
from cube_model.errors import ModelError
from support.annotated_dialogues import write_annotated
from support.tiny_teacher import save_tiny_distilbert

pytest.importorskip("sentence_transformers", reason="install the extra `embedder`")

TEXTS = ["I want soup near the harbour", "Which bus goes to the castle?", "bus", "a longer text " * 40]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny_distilbert(tmp_path_factory.mktemp("static-base") / "tiny", dimension=32)


@pytest.fixture(scope="module")
def trained(base, tmp_path_factory):
    from cube_model.embedder.trainer import train_embedder

    folder = tmp_path_factory.mktemp("static")
    config = EmbedderConfig(
        data=str(write_annotated(folder / "corpus")),
        base=str(base),
        output=str(folder / "static"),
        **{"static": 16, "batch_size": 12, "epochs": 20, "learning_rate": 0.01, "device": "cpu", "progress": False},
    )
    return folder / "static", train_embedder(config), config


def test_it_is_distilled_from_single_tokens_by_principal_components(base):
    from sentence_transformers import SentenceTransformer

    from cube_model.embedder.static import distilled

    model = SentenceTransformer(str(base), device="cpu")
    static = distilled(model, 32)
    own = model.encode(["b", "q", "z"])  # letters are tokens of their own
    ids = [static.tokenizer.token_to_id(letter) for letter in "bqz"]
    table = static[0].embedding.weight.detach().numpy()[ids]
    share = (1 / (np.array(ids) + 2)) / (1 / np.arange(2, len(static[0].embedding.weight) + 2)).sum()
    table = table * ((1e-4 + share) / 1e-4)[:, None]
    for left, right in ((0, 1), (0, 2), (1, 2)):  # all components are kept: distances are those of the base
        assert np.linalg.norm(table[left] - table[right]) == pytest.approx(
            np.linalg.norm(own[left] - own[right]), rel=1e-3
        )
    with pytest.raises(ModelError, match="static 33: the base has only 32 dimensions"):
        distilled(model, 33)
    with pytest.raises(ModelError, match="static encoder already"):
        distilled(static, 8)


def test_it_learns_and_is_the_same_teacher_everywhere(trained):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    from cube_model import Teacher

    folder, record, _ = trained
    assert record["loss_last"] < 0.7 * record["loss_first"]
    assert record["base"]["dimension"] == 16
    theirs = SentenceTransformer(str(folder), device="cpu")
    assert isinstance(theirs[0], StaticEmbedding)
    teacher = Teacher.load(folder, device="cpu")
    np.testing.assert_allclose(teacher.encode(TEXTS), theirs.encode(TEXTS, normalize_embeddings=True), atol=1e-6)
    assert (teacher.dimension, teacher.pooling, teacher.normalize) == (16, "mean", True)
    assert "16" in (folder / "README.md").read_text()


def test_a_run_again_gives_the_same_weights_and_goes_on_from_a_static_encoder(trained, tmp_path):
    from dataclasses import replace

    from cube_model.embedder.trainer import train_embedder

    folder, _, config = trained
    train_embedder(replace(config, output=str(tmp_path / "again")))
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    record = train_embedder(replace(config, base=str(folder), static=0, epochs=1, output=str(tmp_path / "more")))
    assert record["base"]["name"] == "static"


def test_a_core_on_it_reads_texts_with_the_files_that_are_uploaded(trained, tmp_path):
    from cube_model import CubeTrainer, Teacher, TrainingConfig
    from cube_model.core.text_cube import TextEncoder

    folder, _, config = trained
    options = {"epochs": 2, "context_turns": 1, "progress": False}
    run = TrainingConfig(data=config.data, teacher=str(folder), output=str(tmp_path / "core"), **options)
    CubeTrainer(run).train()
    encoder = TextEncoder.from_pretrained(str(tmp_path / "core"), teacher=str(folder))
    states = encoder.teacher(encoder.preprocess(TEXTS)["input_ids"]).last_hidden_state
    assert states.shape[-1] == 16 == Teacher.load(folder, device="cpu").dimension
    assert encoder.encode([["Hello there", TEXTS[0]]]).shape == (1, 16)


def test_a_table_of_another_library_is_refused(trained, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    from cube_model import Teacher

    other = shutil.copytree(trained[0], tmp_path / "other")
    table = load_file(other / "model.safetensors")["embedding.weight"]
    save_file({"embeddings": table}, other / "model.safetensors")
    (other / "training.json").unlink()  # it has a digest of the weights
    with pytest.raises(ModelError, match=r"embeddings instead of embedding\.weight: .*StaticEmbedding\.from_model2vec"):
        Teacher.load(other, device="cpu")


def test_a_push_takes_all_files_that_strangers_load(trained, tmp_path):
    import shutil

    from sentence_transformers import SentenceTransformer

    from push_scripts.model_folder import read_model_folder

    pushed = read_model_folder(trained[0])
    assert pushed.kind == "embedder"
    for name, path in pushed.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / name)
    own, theirs = (SentenceTransformer(str(folder), device="cpu").encode(TEXTS) for folder in (trained[0], tmp_path))
    np.testing.assert_array_equal(own, theirs)
