"""The card of a model: what it quotes, names and pins, from the record of a training."""

import json
import re
from pathlib import Path

import pytest
import yaml

import dataset_builders.card
from cube_model.card.card import ModelFacts, model_card
from cube_model.data.location import location_of
from cube_model.teacher.find import DEFAULT_TEACHER, KNOWN_TEACHERS
from cube_model.training.example import example_of
from cube_model.training.output import RECORD

CONFIG = {"mode": "dialogue", "lattice_size": [2, 3, 4], "embedding_dim": 24, "context_turns": 1, "map_answers": True}


def card(training=None, *, kind="core", name="org/core", config=CONFIG, **options):
    facts = ModelFacts(kind, config, training or {}, parameters=1234, size=5000, reads_text=True)
    return model_card(facts, name, **options)


def test_a_training_writes_its_card(trained_core):
    text = (trained_core / "README.md").read_text()
    record = json.loads((trained_core / RECORD).read_text())
    header = yaml.safe_load(text.split("---\n")[1])
    assert header["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert "datasets" not in header
    assert 'SentenceTransformer("core", trust_remote_code=True)' in text
    assert "360 user -> system pairs of `data`" in text
    assert "| learning_rate | `0.005` |" in text
    assert "checkpoint_every" not in text, "a setting that does not matter"
    example = record["example"]
    assert f"question: {example['question']}\n" in text
    assert f"answer ({example['score']:.2f}): {example['answer']}\n" in text
    assert str(trained_core.parent) not in text + json.dumps(record), "a path of this machine"


def test_the_example_is_what_the_core_ranks_first(trained_core, pairs_folder, minilm, cache_folder):
    """Of the answers of the training, to the first question of validation that has four words."""
    from cube_model.data.pairs import load_pairs
    from cube_model.inference.loading import load_core
    from cube_model.inference.processor import EmbeddingProcessor

    example = json.loads((trained_core / RECORD).read_text())["example"]
    processor = EmbeddingProcessor(load_core(trained_core))
    train, validation = (load_pairs(pairs_folder, split) for split in ("train", "validation"))
    answers = sorted({train.texts[i] for i in train.answers})
    questions = [validation.texts[i] for i in validation.questions[:, 0]]
    assert example["question"] == next(text for text in questions if len(text.split()) >= 4)
    question = minilm.encode([example["question"], *reversed(example["context"])])
    scores = processor.process_answers(minilm.encode(answers)) @ processor.process_batch(question[None])[0]
    assert example["answer"] == answers[scores.argmax()]
    assert abs(example["score"] - scores.max()) < 1e-3
    assert example["answers"] == len(answers)
    assert (example["sources"], example["licenses"]) == (["invented"], ["CC0-1.0"])


def test_only_texts_that_may_be_redistributed_are_quoted(trained_core):
    """Without such an answer or question, there is no example."""
    from dataclasses import replace

    from cube_model.inference.loading import load_core
    from support.vector_training import Vectors

    def with_license(pairs, license):
        return replace(pairs, licenses=[license] * len(pairs), texts=["Is it open today?"] * len(pairs.texts))

    data, core = Vectors().training_data(), load_core(trained_core)
    opened = {split: with_license(getattr(data, split), "MIT") for split in ("train", "validation")}
    for split, pairs in opened.items():
        closed = {**opened, split: with_license(pairs, "LicenseRef-private")}
        assert example_of(core, replace(data, **closed)) is None
    core.config.mode = "autoencoder"
    assert example_of(core, replace(data, **opened)) is None


def test_a_text_cannot_leave_its_block():
    example = {
        "question": "How\n```\n# Title",
        "context": ["One\ntwo"],
        "answer": "``` <b>",
        "score": 0.5,
        "answers": 3,
    }
    text = card({"example": {**example, "sources": ["a"], "licenses": ["MIT"]}})
    block = text.split("```text\n")[1].split("\n```")[0]
    assert block == "earlier turn: One two\nquestion: How ''' # Title\nanswer (0.50): ''' <b>"


@pytest.mark.parametrize(
    ("name", "revision", "expected", "pins"),
    [
        ("core", None, 'SentenceTransformer("core", trust_remote_code=True)', False),
        ("org/core", None, 'SentenceTransformer("org/core", trust_remote_code=True, revision="COMMIT")', True),
        ("org/core", "v2", 'SentenceTransformer("org/core", trust_remote_code=True, revision="v2")', False),
    ],
    ids=["folder", "repository", "tag"],
)
def test_all_code_that_is_trusted_pins_a_tag_or_asks_for_a_commit(name, revision, expected, pins):
    text = card(name=name, revision=revision)
    assert expected in text
    assert ('revision="COMMIT"' in text) == pins
    trusting = re.findall(r"\w+\([^)\n]*trust_remote_code=True[^)\n]*\)", text)
    assert len(trusting) == 3
    assert all(("revision=" in call) == ("/" in name) for call in trusting)


@pytest.mark.parametrize("readme", ["README.md", "README.ru.md", "push_scripts/README.md", "push_scripts/README.ru.md"])
def test_pages_pin_what_they_load_from_the_hub(readme):
    text = (Path(__file__).parents[3] / readme).read_text(encoding="utf-8")
    trusting = re.findall(r"\w+\([^)\n]*trust_remote_code=True[^)\n]*\)", text)
    assert trusting
    assert all('"demo/' in call or 'revision="COMMIT"' in call for call in trusting)
    assert 'revision="COMMIT"' in text


def test_the_card_of_a_dataset_pins_the_encoder_that_it_trains():
    template = (Path(dataset_builders.card.__file__).parent / "card_template.md.jinja").read_text(encoding="utf-8")
    teacher = KNOWN_TEACHERS[DEFAULT_TEACHER]
    assert f'"{teacher.repo}", revision="{teacher.revision}"' in template


def test_settings_that_matter_are_shown():
    arguments = {"seed": 0, "epochs": 3, "noise": 0.0, "hard_negatives": 0, "mixed_precision": "no", "threads": 2}
    text = card({"arguments": arguments})
    assert "| setting | value |\n|---|---|\n| epochs | `3` |\n| seed | `0` |\n\nAll settings" in text


def test_a_teacher_that_was_a_folder_needs_its_path():
    text = card(config={**CONFIG, "teacher": {"name": "my-encoder", "repo": None, "revision": None}})
    assert 'model_kwargs={"teacher": "PATH"}' in text
    assert "base_model" not in yaml.safe_load(text.split("---\n")[1])


def test_a_repository_is_recorded_with_its_commit_and_a_folder_by_name(hub, tmp_path, monkeypatch):
    from huggingface_hub import HfApi

    from hub.invented import dialogue, write_dataset

    hub.use_here(monkeypatch)
    monkeypatch.chdir(tmp_path)
    folder = write_dataset(tmp_path / "org" / "corpus", {("dialogues", "train"): [dialogue("1")]})
    assert location_of("org/corpus") == {"folder": "corpus"}
    api, repo = HfApi(), f"{hub.namespace}/corpus"
    api.create_repo(repo, repo_type="dataset")
    commit = api.upload_folder(repo_id=repo, folder_path=folder, repo_type="dataset").oid
    assert location_of(repo) == {"repo": repo, "revision": commit}
    text = card({"data": {**location_of(repo), "pairs": 7}})
    assert f"7 user -> system pairs of `{repo}` at commit `{commit[:12]}`" in text
    assert yaml.safe_load(text.split("---\n")[1])["datasets"] == [repo]


def test_the_card_says_what_selected_the_epochs():
    history = [{"accuracy_1_of_100": 0.25}, {"accuracy_1_of_100": 0.5}]
    record = {"history": history, "best_epoch": 1}
    assert "1-of-100 accuracy 0.250 -> 0.500.\n" in card(record)
    few = card({**record, "validation": {"method": "split", "warning": "...", "half_width_95": 0.31}})
    assert "0.250 -> 0.500. The pairs are few: an accuracy over them is uncertain by ±0.31." in few
    crossed = card({**record, "validation": {"method": "k-fold", "outcome": "6 pairs, each left out once"}})
    assert "Cross-validation selected the epochs: 6 pairs, each left out once.\n" in crossed
    assert "0.500" not in crossed, "a figure of pairs that the core has learnt"
