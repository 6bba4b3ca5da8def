"""Replies, conditions, bad input, and folders that are no assistant any more."""

import json

import numpy as np
import pytest

from cube_model import DialogueAssistant, ModelError
from cube_model.assistant.assistant import LONGEST, Request
from support.assistant_fixtures import ENGLISH


def test_a_question_of_the_faq_gets_its_answer(assistant):
    for answer, questions in ENGLISH.items():
        reply = assistant.reply(questions[0])
        assert reply.answers[0].text == answer
        assert reply.answers[0].question == questions[0]
        assert reply.answers[0].similar >= 1  # the other questions with the same answer
    texts = [each.text for each in reply.answers]
    assert len(texts) == len(set(texts)) == 5
    confidences = [each.confidence for each in reply.answers]
    assert confidences == sorted(confidences, reverse=True)
    assert reply.confidence == confidences[0]
    assert reply.version == assistant.version == 1
    assert reply.answers[0].license == "LicenseRef-private"
    assert reply.answers[0].language == "en"
    assert reply.answers[0].dialogue_id.startswith("desk/")


def test_many_questions_get_the_replies_of_one(assistant):
    requests = [Request("How can I pay?", k=2), Request("What is your phone number?", ["Hello"]), Request("asdf")]
    replies = assistant.reply_many(requests)
    for request, reply in zip(requests, replies, strict=True):
        alone = assistant.reply(request.text, request.context, k=request.k)
        assert [each.id for each in alone.answers] == [each.id for each in reply.answers]
        assert alone.confidence == pytest.approx(reply.confidence, abs=1e-4)
    assert len(replies[0].answers) == 2
    assert assistant.reply_many([]) == []


def test_conditions_select_answers(assistant):
    reply = assistant.reply("How do I pay for a router?", where={"metadata.product": "router", "language": "en"})
    assert {each.metadata["product"] for each in reply.answers} == {"router"}
    both = assistant.reply("How do I pay for a router?", where={"metadata.product": ["router", "shop"]})
    assert both.answers == assistant.reply("How do I pay for a router?").answers


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"language": "de"}, "no answer with language=de; there is language: en"),
        (
            {"metadata.product": ["phone", "fax"]},
            "metadata.product=phone or fax; there is metadata.product: router, shop",
        ),
        ({"metadata.colour": "red"}, "there is metadata.colour: none"),
        ({"product": "router"}, "where has the key 'product': expected one of language, source, license"),
        ({"source": 3}, r"where\['source'\]: expected a string or a list of strings"),
        ("en", "where is a str: expected an object"),
    ],
)
def test_conditions_that_nothing_meets(assistant, where, message):
    with pytest.raises(ModelError, match=message):
        assistant.reply("How do I pay?", where=where)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text is empty"),
        (" \n", "the text is empty"),
        ("a" * (LONGEST + 1), "the text has 20,001 characters: expected at most 20,000"),
        ("half \ud83d", "half of a character"),
        (7, "the text is a int: expected a string"),
    ],
)
def test_texts_that_are_refused(assistant, text, message):
    for call in (assistant.reply, lambda text: assistant.embed([text])):
        with pytest.raises(ModelError, match=message):
            call(text)


def test_more_bad_input(assistant):
    with pytest.raises(ModelError, match="k is 0: expected a whole number of at least 1"):
        assistant.reply("How do I pay?", k=0)
    with pytest.raises(ModelError, match="the context is a text: expected a list of turns"):
        assistant.reply("How do I pay?", "Hello")
    with pytest.raises(ModelError, match="this assistant has no intents; build it with --intents FOLDER"):
        assistant.intent("How do I pay?")
    assert assistant.reply("a " * (LONGEST // 2)).answers  # as long as is allowed
    assert assistant.reply("\x00\x1b[31m how do I pay").answers


def test_vectors_have_length_one(assistant):
    vectors = assistant.embed(["How do I pay?", "Hello"])
    assert vectors.dtype == np.float32
    assert vectors.shape == (2, 32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)


def test_the_record_says_what_it_is(assistant):
    info = assistant.info
    assert info["answers"] == 24
    assert info["languages"] == {"en": 24}
    assert info["licenses"] == {"LicenseRef-private": 24}
    assert info["calibration"]["questions"]["another question"] == 24
    assert info["calibration"]["guarantee"] == 0.1
    assert info["options"]["own"] == ["desk.csv"]  # no path of this machine
    assert "/" not in json.dumps({name: info["options"][name] for name in ("own", "encoder")})
    assert info["encoder"]["fingerprint"]


def test_an_assistant_moves_with_its_encoder(folder, tmp_path):
    moved = folder.rename(tmp_path / "elsewhere")
    assert DialogueAssistant.from_pretrained(moved).reply("How can I pay?").answers[0].question == "How can I pay?"


def spoil(name):
    def change(folder):
        file = folder / name
        content = bytearray(file.read_bytes())
        content[-3] ^= 1
        file.write_bytes(content)

    return change


def with_manifest(**facts):
    def change(folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps({**manifest, **facts}))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (spoil("calibration.json"), "calibration.json: damaged or changed since the assistant was built"),
        (spoil("topics.safetensors"), "topics.safetensors: damaged or changed since the assistant was built"),
        (spoil("encoder/model.safetensors"), "encoder: damaged or changed, its vectors are not those"),
        (lambda folder: (folder / "encoder/config.json").unlink(), "the encoder of the assistant"),
        (lambda folder: (folder / "manifest.json").unlink(), "not an assistant; make one with"),
        (with_manifest(format=2), "assistant of format 2, but this version reads 1"),
        (with_manifest(encoder=3), "`encoder` is 3 instead of an object"),
    ],
)
def test_what_is_wrong_with_a_folder_is_named(folder, change, message):
    change(folder)
    with pytest.raises(ModelError, match=message):
        DialogueAssistant.from_pretrained(folder)


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(ModelError, match="no such folder; pass a folder made by `dialogue-cube assistant build`"):
        DialogueAssistant.from_pretrained(tmp_path / "nowhere")
