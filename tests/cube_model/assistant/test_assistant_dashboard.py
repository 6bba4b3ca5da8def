"""The tab Ask of the dashboard: replies, "I do not know", and thumbs that go into the file of decisions."""

from dataclasses import replace

import pytest

from cube_model import DialogueAssistant
from cube_model.assistant.calibration import Calibration
from dataset_builders.common.decisions import ReplyJudgement, read_decisions, read_judgements, text_digest

pytest.importorskip("streamlit", reason="install the extra `dashboard`")

KNOWN = "How do I reset the router?"


def ask(at, question):
    at.text_input(key="ask").set_value(question)
    next(button for button in at.button if button.label == "Ask").click()
    return at.run()


def shown(at):
    return " ".join(each.value for each in [*at.text, *at.markdown, *at.caption]).replace("\\", "")


@pytest.fixture
def visit(page, settings, built, tmp_path):
    """Open the tab, with the options of the settings."""

    def opened(address=None, **options):
        settings(assistants=(str(built),), **options)
        return page(tab="ask", **(address or {}))

    return opened


def test_a_reply_shows_its_confidence_question_and_licence(visit, built):
    at = ask(visit(), KNOWN)
    assert not at.error
    assert not at.exception
    reply = DialogueAssistant.from_pretrained(built).reply(KNOWN)
    best, text = reply.answers[0], shown(at)
    assert reply.is_known
    assert best.text in text
    assert f"Matched question: {best.question}" in text
    assert f"Confidence: {best.confidence:.0%} · Licence: LicenseRef-private · Source: desk" in text
    assert "Thumbs go to" not in text
    assert not at.feedback


def test_what_it_does_not_know_is_refused_with_the_nearest_topics(page, settings, folder, monkeypatch):
    of_file = Calibration.from_json
    monkeypatch.setattr(Calibration, "from_json", lambda *args: replace(of_file(*args), threshold=1.1))
    settings(assistants=(str(folder),))
    at = ask(page(tab="ask"), "Qué hora es?")
    reply = DialogueAssistant.from_pretrained(folder).reply("Qué hora es?")
    text = shown(at)
    assert "I do not know." in text
    assert f"Nearest topics: {reply.topics[0].name} ({reply.topics[0].similarity:.2f})" in text
    assert f"Matched question: {reply.answers[0].question}" in text  # in the list of unsure answers
    assert not at.error


def test_thumbs_are_lines_of_the_file_of_decisions(visit, built, tmp_path):
    path = tmp_path / "decisions.jsonl"
    at = ask(visit(decisions=str(path)), KNOWN)
    best, second = DialogueAssistant.from_pretrained(built).reply(KNOWN).answers[:2]
    at.feedback[0].set_value(1).run()
    at.feedback[1].set_value(0).run()
    judgements = [
        ReplyJudgement(KNOWN, best.id, "right_answer", text_digest(best.text)),
        ReplyJudgement(KNOWN, second.id, "wrong_answer", text_digest(second.text)),
    ]
    assert read_judgements(path) == judgements
    assert [each.value for each in at.feedback][:2] == [1, 0]
    at.feedback[0].set_value(None).run()
    assert read_judgements(path) == judgements[1:]
    assert not read_decisions(path)
    assert not at.exception


def test_an_address_asks_nothing_and_needs_the_token(visit):
    at = visit({"ask": KNOWN})
    assert at.text_input(key="ask").value == KNOWN
    assert not at.chat_message
    for address in ({}, {"token": "guess"}):
        assert "the link with a token" in " ".join(info.value for info in visit(address, token="secret").info)
    assert visit({"token": "secret"}, token="secret").text_input(key="ask")
