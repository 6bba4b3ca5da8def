"""Turns before a question change the reply: with an encoder that was trained with them, and with a core."""

import json
import shutil

import numpy as np
import pytest
import torch

from cube_model import CubeConfig, CubeModel, DialogueAssistant, EmbeddingProcessor, ModelError, Teacher
from cube_model.assistant.assistant import Request
from cube_model.assistant.build import build_assistant
from cube_model.assistant.config import AssistantConfig
from cube_model.assistant.encoding import Encoding, joined_turns

CHATS = {
    "Do you want to cancel the order?": "It is cancelled.",
    "Should I send the invoice again?": "The invoice is on its way.",
    "May I connect you to a person?": "Somebody will be with you in a minute.",
}
"""A question of the desk, which the user answers with yes, and what the desk says then."""


def write_chats(file):
    with file.open("w") as stream:
        for asked, done in CHATS.items():
            turns = [("user", "Hello"), ("assistant", asked), ("user", "Yes, please."), ("assistant", done)]
            json.dump({"messages": [{"role": role, "content": text} for role, text in turns]}, stream)
            stream.write("\n")
    return file


@pytest.fixture(scope="module")
def chats(tmp_path_factory):
    return str(write_chats(tmp_path_factory.mktemp("chats") / "chats.jsonl"))


@pytest.fixture(scope="module")
def trained_with_turns(tiny_encoder, tmp_path_factory):
    """The tiny encoder, as if `train-encoder --context-turns 2` had made it."""
    folder = shutil.copytree(tiny_encoder, tmp_path_factory.mktemp("encoders") / "turns")
    (folder / "training.json").write_text(json.dumps({"arguments": {"context_turns": 2}}))
    return str(folder)


@pytest.fixture(scope="module")
def core(tiny_encoder, tmp_path_factory):
    """A core on the tiny encoder with random weights; without training, it would pass questions on as they are."""
    torch.manual_seed(0)
    teacher = Teacher.load(tiny_encoder, device="cpu").describe()
    model = CubeModel(CubeConfig(embedding_dim=32, context_turns=2, teacher=teacher))
    with torch.no_grad():
        for weights in model.parameters():
            weights += 0.3 * torch.randn_like(weights)
    folder = tmp_path_factory.mktemp("cores") / "core"
    model.save_pretrained(folder)
    return str(folder)


def answer(assistant, context):
    return assistant.reply("Yes, please.", context).answers[0].text


def test_an_encoder_that_was_trained_with_turns_reads_them(chats, trained_with_turns, tmp_path):
    built = build_assistant(AssistantConfig(own=[chats], encoder=trained_with_turns), tmp_path / "desk")
    assistant = DialogueAssistant.from_pretrained(built)
    assert assistant.info["context_turns"] == 2
    for asked, done in CHATS.items():
        assert answer(assistant, ["Hello", asked]) == done
        assert answer(assistant, ["An earlier turn that is not read.", "Hello", asked]) == done
    requests = [Request("Yes, please.", ["Hello", asked]) for asked in CHATS]
    assert [reply.answers[0].text for reply in assistant.reply_many(requests)] == list(CHATS.values())


def test_a_plain_encoder_reads_the_question_alone(chats, tiny_encoder, tmp_path):
    assistant = DialogueAssistant.from_pretrained(
        build_assistant(AssistantConfig(own=[chats], encoder=str(tiny_encoder)), tmp_path / "desk")
    )
    assert assistant.info["context_turns"] == 0
    assert len({answer(assistant, ["Hello", asked]) for asked in CHATS}) == 1


def test_a_core_composes_the_turns(chats, tiny_encoder, core, tmp_path):
    config = AssistantConfig(own=[chats], encoder=str(tiny_encoder), core=core)
    assistant = DialogueAssistant.from_pretrained(build_assistant(config, tmp_path / "desk"))
    assert "reads up to 2 turns before a question, composed by its core." in (tmp_path / "desk/README.md").read_text()
    assert assistant.info["context_turns"] == 2
    for asked, done in CHATS.items():
        assert answer(assistant, ["Hello", asked]) == done
    moved = shutil.move(tmp_path / "desk", tmp_path / "moved")
    assert answer(DialogueAssistant.from_pretrained(moved), ["Hello", *list(CHATS)[:1]]) == next(iter(CHATS.values()))
    weights = moved / "core" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match="core: damaged or changed; build the assistant again"):
        DialogueAssistant.from_pretrained(moved)


def test_vectors_of_a_core_are_those_of_the_processor(tiny_encoder, core):
    teacher, processor = Teacher.load(tiny_encoder, device="cpu"), EmbeddingProcessor.from_pretrained(core)
    encoding = Encoding(teacher, teacher.encode, core=processor.model)
    turns = np.zeros((1, 3, 32), np.float32)
    turns[0, :2] = teacher.encode(["Yes, please.", "Should I send it?"])
    made = encoding.questions(["Yes, please."], [["Should I send it?"]])
    assert np.allclose(made, processor.process_batch(turns), atol=1e-6)
    answers = encoding.answers(["It is on its way."])
    assert np.allclose(answers, processor.process_answers(teacher.encode(["It is on its way."])), atol=1e-6)


def test_cores_that_do_not_fit(chats, tiny_encoder, core, tmp_path):
    other = Teacher.load(tiny_encoder, device="cpu").describe() | {"fingerprint": "another"}
    CubeModel(CubeConfig(embedding_dim=32, teacher=other)).save_pretrained(tmp_path / "other")
    CubeModel(CubeConfig(embedding_dim=32)).save_pretrained(tmp_path / "nameless")
    for folder, message in (("other", "is not the one core .* was trained with"), ("nameless", "does not record its")):
        config = AssistantConfig(own=[chats], encoder=str(tiny_encoder), core=str(tmp_path / folder))
        with pytest.raises(ModelError, match=message):
            build_assistant(config, tmp_path / "desk")
    assert not (tmp_path / "desk").exists()


def test_a_record_of_turns_that_is_damaged(trained_with_turns, tmp_path):
    folder = shutil.copytree(trained_with_turns, tmp_path / "encoder")
    (folder / "training.json").write_text('{"arguments": {"context_turns": "two"}}')
    with pytest.raises(ModelError, match="context_turns is 'two': expected a whole number"):
        joined_turns(folder)


def test_another_precision_answers_from_the_same_assistant(built):
    assistant = DialogueAssistant.from_pretrained(built, dtype="bfloat16", device="cpu")
    reference = DialogueAssistant.from_pretrained(built, device="cpu")
    question = "How can I pay?"
    assert assistant.reply(question).answers[0].text == reference.reply(question).answers[0].text
    assert assistant.embed([question])[0] @ reference.embed([question])[0] == pytest.approx(1, abs=1e-3)
    assert not np.array_equal(assistant.embed([question]), reference.embed([question]))
