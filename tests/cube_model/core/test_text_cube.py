"""Texts and conversations through a core and its teacher, as in a folder that others open without this package."""

import json

import numpy as np
import pytest
import torch

from cube_model import Teacher
from cube_model.core.handler import EndpointHandler
from cube_model.core.text_cube import TextEncoder
from cube_model.inference.loading import load_core
from cube_model.inference.processor import EmbeddingProcessor
from cube_model.teacher.find import find_teacher
from support.other_teachers import perturbed_core, tiny_gpt2

CONVERSATION = ["I need a room.", "In which PART of town?", "In the north, please."]
MESSAGES = [
    {"role": role, "content": text} for role, text in zip(("user", "assistant", "user"), CONVERSATION, strict=True)
]


@pytest.fixture(scope="module", params=["bert", "causal"])
def parts(request, tmp_path_factory):
    """Teacher, core and encoder: MiniLM; and a causal model without a padding token, whose tokenizer pads on the left."""
    if request.param == "bert":
        teacher, folder = request.getfixturevalue("minilm"), find_teacher("minilm").folder
        core = load_core(request.getfixturevalue("trained_core"))
    else:
        folder = tiny_gpt2(tmp_path_factory.mktemp("causal") / "tiny-gpt2")
        teacher = Teacher.load(folder, "float32", "cpu", pooling="last", prefix="say: ", max_length=24)
        core = perturbed_core(teacher, context_turns=2)
    return teacher, core, TextEncoder.of(core, str(folder))


@pytest.mark.parametrize(
    "turns", [["ok"], ["A text that is much longer " * 9], CONVERSATION, CONVERSATION[:2], ["", "a"]]
)
def test_vectors_equal_those_of_the_package(parts, turns):
    teacher, core, encoder = parts
    channels = [*reversed(turns)][: 1 + core.config.context_turns]
    processor = EmbeddingProcessor(core)
    expected = processor.process_batch(teacher.encode(channels)[None])[0]
    for item in (turns, tuple(turns), [{"role": "user", "content": turn} for turn in turns]):
        np.testing.assert_allclose(encoder.encode([item, "other"])[0], expected, atol=1e-5)
    answers = processor.process_answers(teacher.encode(turns))
    np.testing.assert_allclose(encoder.encode(turns, "document"), answers, atol=1e-5)


def test_a_text_alone_is_a_question_and_parts_of_a_message_are_joined(parts):
    _, _, encoder = parts
    message = {"role": "user", "content": [{"type": "text", "text": "Is it"}, {"type": "text", "text": "open?"}]}
    a, b, c = encoder.encode(["Is it\nopen?", ["Is it\nopen?"], [message]])
    assert torch.equal(a, b)
    assert torch.equal(a, c)
    assert encoder.encode([]).shape == (0, a.shape[0])


@pytest.mark.parametrize(
    ("inputs", "task", "message"),
    [
        ([3], None, "3: expected a text, or turns with the question last"),
        ([[]], None, "expected a text, or turns"),
        ([[{"role": "user"}]], None, "expected a text, or a message with `role` and `content`"),
        ([CONVERSATION], "document", "an answer is one text, not several turns"),
    ],
)
def test_an_invalid_input_is_named(parts, inputs, task, message):
    with pytest.raises(ValueError, match=message):
        parts[2].encode(inputs, task)


def test_another_teacher_is_refused_and_a_local_one_is_asked_for(parts, tmp_path):
    _, core, _ = parts
    with pytest.raises(ValueError, match="not the teacher that the core was trained with"):
        TextEncoder.of(core, str(tiny_gpt2(tmp_path / "other", seed=1)))
    recorded = {**core.config.teacher, "repo": None}
    with pytest.raises(ValueError, match=r'in no recorded Hub repository: pass its folder, model_kwargs=\{"teacher"'):
        TextEncoder.of(type(core)(type(core.config)(**{**core.config.to_dict(), "teacher": recorded})))


@pytest.mark.parametrize("revision", [None, "main", "refs/pr/9", "c9745ed"])
def test_a_teacher_without_a_recorded_commit_is_not_downloaded(parts, revision, monkeypatch):
    """What a branch names tomorrow, nobody has trained with; no socket is opened."""
    _, core, _ = parts
    recorded = {**core.config.teacher, "repo": "stranger/model", "revision": revision}
    monkeypatch.setattr("socket.getaddrinfo", pytest.fail)
    with pytest.raises(ValueError, match="does not record the commit of its teacher stranger/model: download one"):
        TextEncoder.of(type(core)(type(core.config)(**{**core.config.to_dict(), "teacher": recorded})))


def test_a_teacher_with_a_short_name_is_recorded_with_its_repository(minilm, trained_core):
    recorded = json.loads((trained_core / "config.json").read_text())["teacher"]
    assert recorded["repo"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert len(recorded["revision"]) == 40
    assert minilm.describe() == recorded


@pytest.mark.parametrize("parameters", [{"k": 0}, {"k": "5"}, {"task": "answer"}])
def test_an_endpoint_names_an_invalid_parameter(parameters):
    handler = EndpointHandler.__new__(EndpointHandler)
    with pytest.raises(ValueError, match="expected query or document, and a number from 1"):
        handler({"inputs": "Is it open?", "parameters": parameters})
