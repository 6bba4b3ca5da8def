"""`dialogue-cube assistant`: build, reply, add, remove, review."""

import csv
import json
import os
from dataclasses import replace

import pytest

from cube_model import DialogueAssistant
from cube_model.assistant.unanswered import UnansweredQuestion, answered_rows, write_review
from dataset_builders.common.decisions import ReplyJudgement, RowDecision, append_decisions, text_digest
from support.assistant_fixtures import write_faq, write_russian_faq
from support.russian_faq import FAQ as RUSSIAN


def message(result):
    return str(result.exception)


def test_a_russian_faq(run, tiny_encoder, tmp_path):
    faq = write_russian_faq(tmp_path / "faq.csv")
    build = ("assistant", "build", "--own", faq, "--encoder", tiny_encoder, "--language", "ru", "--out", tmp_path / "a")
    done = run(*build)
    assert done.exit_code == 0, done.output
    assert "64 questions" in done.output.replace("\n", " ")
    assert "Promised: at most 10% of answerable questions are refused" in " ".join(done.output.split())
    assert "exists; pass --overwrite" in message(run(*build))
    answer, (questions, _) = next(iter(RUSSIAN.items()))
    done = run("assistant", "reply", "--assistant", tmp_path / "a", "--json", questions[0], "--where", "language=ru")
    reply = json.loads(done.stdout)
    assert reply["question"] == questions[0]
    assert reply["answers"][0]["text"] == answer
    card = (tmp_path / "a" / "README.md").read_text()
    assert '- "ru"' in card
    assert "| faq | LicenseRef-private | 64 |" in card


def test_answers_are_added_and_removed_beside_a_reader(run, folder):
    reader = DialogueAssistant.from_pretrained(folder)
    question = "Do you repair old telephones?"
    assert question not in {each.question for each in reader.reply(question).answers}
    done = run("assistant", "add", "--assistant", folder, "--question", question, "--answer", "We do, for a small fee.")
    assert "1 added" in done.output, done.output
    assert "version 2" in done.output
    reply = reader.reply(question)
    assert reply.version == 2
    assert reply.answers[0].text == "We do, for a small fee."
    assert reply.answers[0].source == "own"
    id = reply.answers[0].id
    assert "1 removed" in run("assistant", "remove", "--assistant", folder, "--id", id).output
    assert question not in {each.question for each in reader.reply(question).answers}
    assert "no answer with the id" in message(run("assistant", "remove", "--assistant", folder, "--id", id))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "pass either files, or both"),
        (("--question", "Q"), "--question and --answer belong together"),
        (("--question", "Q", "--answer", " "), "a question or its answer is empty"),
        (("--question", "Q", "--answer", "A", "--language", "english"), "language 'english': expected a tag"),
        (("nowhere.csv",), "nowhere.csv"),
    ],
)
def test_what_cannot_be_added(run, folder, arguments, expected):
    assert expected in message(run("assistant", "add", "--assistant", folder, *arguments))
    assert DialogueAssistant.from_pretrained(folder).version == 1


@pytest.mark.parametrize("name", ["review.csv", "review.jsonl"])
def test_unanswered_questions_are_logged_reviewed_and_answered(run, folder, tmp_path, name, monkeypatch):
    log = tmp_path / "unanswered.jsonl"
    desk = DialogueAssistant.from_pretrained(folder, unanswered=log)
    monkeypatch.setattr(desk, "_calibration", replace(desk._calibration, threshold=1.1))
    for question in ("Qué hora es?", "Do you sell\nwashing machines?", "Do you sell\nwashing machines?"):
        assert not desk.reply(question).is_known
    with log.open("a") as file:
        file.write('{"question": "cut by a ki')  # the rest of the line is missing
    done = run("assistant", "review", "--assistant", folder, "--unanswered", log, "--out", tmp_path / name)
    assert done.exit_code == 0, done.output
    assert "2 unanswered questions" in done.output
    if name.endswith("csv"):
        with (tmp_path / name).open(newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
    assert [(row["question"], str(row["count"])) for row in rows] == [
        ("Do you sell\nwashing machines?", "2"),
        ("Qué hora es?", "1"),
    ]
    assert "no row has an answer yet" in message(run("assistant", "add", "--assistant", folder, tmp_path / name))
    rows[0]["answer"] = "Only small ones."
    with (tmp_path / name).open("w", newline="") as file:
        if name.endswith("csv"):
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
        else:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    answered = (tmp_path / name).read_bytes()
    again = run("assistant", "review", "--assistant", folder, "--unanswered", log, "--out", tmp_path / name)
    assert "has answers by now (1); add them with" in message(again)  # somebody's work
    assert (tmp_path / name).read_bytes() == answered
    assert "1 added" in run("assistant", "add", "--assistant", folder, tmp_path / name).output
    reply = DialogueAssistant.from_pretrained(folder).reply("Do you sell\nwashing machines?")
    assert reply.answers[0].text == "Only small ones."


@pytest.mark.parametrize(
    "content", ["question,answer\n", '{"question": "a", "answer": "b"}\n', "[" * 9_000, "\xff", "3"]
)
def test_unanswered_questions_are_appended_to_no_other_file(run, folder, tmp_path, content):
    (tmp_path / "mine").write_text(content, encoding="latin-1")
    for file in (tmp_path / "mine", folder / "manifest.json"):
        whole = file.read_bytes()
        done = run("assistant", "reply", "--assistant", folder, "--unanswered", file, "Qué hora es?")
        assert "exists and is no log of unanswered questions; name another file" in message(done)
        assert file.read_bytes() == whole


def test_an_answer_that_begins_like_a_formula_is_learnt_as_it_is(tmp_path):
    write_review([UnansweredQuestion("=1+1?", 1, [], "", "", "- Press the button.")], tmp_path / "review.csv")
    assert "\n'=1+1?,'- Press" in (tmp_path / "review.csv").read_text()
    assert answered_rows(tmp_path / "review.csv") == [("=1+1?", "- Press the button.")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_no_command_waits_for_a_pipe_without_a_writer(run, folder, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reply = run("assistant", "reply", "--assistant", folder, "--unanswered", tmp_path / "pipe", "Qué hora es?")
    assert "exists and is no log of unanswered questions" in message(reply)
    for option in ("--unanswered", "--decisions"):
        done = run("assistant", "review", "--assistant", folder, option, tmp_path / "pipe")
        assert "pipe: cannot be read (a pipe, socket or device; save it as a file)" in message(done)


def test_half_a_character_in_a_log_is_left_out(run, folder, tmp_path):
    (tmp_path / "log.jsonl").write_text('{"question": "half \\ud83d"}\n{"question": "Who won?"}\n')
    done = run("assistant", "review", "--assistant", folder, "--unanswered", tmp_path / "log.jsonl")
    assert done.exit_code == 0, done.output
    assert "1 unanswered questions" in done.output


def test_a_huge_question_is_shown_by_its_start(run, folder, tmp_path):
    log, question = tmp_path / "log.jsonl", "washing machines " * 1000
    log.write_text(json.dumps({"question": question}) + "\n")
    done = run("assistant", "review", "--assistant", folder, "--unanswered", log, "--out", tmp_path / "review.csv")
    assert 10 < done.output.count("machines") < 30, done.output
    assert question.strip() in (tmp_path / "review.csv").read_text()
    assert run("assistant", "reply", "--assistant", folder, question).output.count("machines") < 30


@pytest.mark.parametrize("name", ["faq.csv", "faq.jsonl"])
def test_a_review_replaces_no_other_table(run, folder, tmp_path, name):
    """A FAQ begins with the same words."""
    (tmp_path / "log.jsonl").write_text('{"question": "Who won?"}\n')
    content = {"faq.csv": "question,answer\nIs it open?,Yes.\n", "faq.jsonl": '{"question": "a", "answer": "b"}\n'}[
        name
    ]
    (tmp_path / name).write_text(content)
    options = ("--assistant", folder, "--unanswered", tmp_path / "log.jsonl", "--out", tmp_path / name)
    assert "was not made by `dialogue-cube assistant review`" in message(run("assistant", "review", *options))
    assert (tmp_path / name).read_text() == content


@pytest.mark.parametrize(
    ("content", "pairs"),
    [
        ("'=1+1,Two.,1,,,\n'Tis open?,Yes.,1,,,\n", [("=1+1", "Two."), ("'Tis open?", "Yes.")]),
        ("Is it\u2028open?,Yes.,1,,,\n", [("Is it\u2028open?", "Yes.")]),
        ("x" * 200_000 + ",Yes.,1,,,\n", None),
        ('{"question": 3, "answer": [1], "count": 1, "similar": "", "last": ""}\n', None),
    ],
)
def test_odd_reviews(tmp_path, content, pairs):
    head = "" if content.startswith("{") else "question,answer,count,similar,nearest,last\n"
    (tmp_path / "review").write_text(head + content, encoding="utf-8", newline="")
    assert answered_rows(tmp_path / "review") == pairs


def test_no_question_of_a_review_is_a_formula(tmp_path):
    """Whoever may ask the assistant writes the questions, and a spreadsheet opens them."""
    texts = ['=HYPERLINK("http://evil/")', "+1", "-1", "@x", "Is it open?"]
    write_review([UnansweredQuestion(text, 1, [text], text, "") for text in texts], tmp_path / "review.csv")
    with (tmp_path / "review.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["question"] for row in rows] == [*(f"'{text}" for text in texts[:4]), texts[4]]
    assert [row["nearest"][0] for row in rows] == ["'"] * 4 + ["I"]
    for row in rows:
        row["answer"] = "Yes."
    with (tmp_path / "answered.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    assert answered_rows(tmp_path / "answered.csv") == [(text, "Yes.") for text in texts]


def test_questions_whose_answer_was_judged_are_reviewed_and_learned(run, folder, tmp_path):
    desk, marks, review = DialogueAssistant.from_pretrained(folder), tmp_path / "marks.jsonl", tmp_path / "review.csv"
    first, second = desk.reply("Do you sell washing machines?").answers[:2]
    reset = desk.reply("How do I reset the router?").answers[0]
    append_decisions(
        marks,
        [
            ReplyJudgement("Do you sell washing machines?", first.id, "wrong_answer", text_digest(first.text)),
            ReplyJudgement("Do you sell washing machines?", second.id, "wrong_answer"),
            ReplyJudgement("The box is stuck, what now?", reset.id, "right_answer", text_digest(reset.text)),
            ReplyJudgement("How do I reset the router?", reset.id, "right_answer"),  # an entry asks just this
            ReplyJudgement("Is it a good one?", reset.id, "right_answer", text_digest("what it said once")),
            ReplyJudgement("Is it a bad one?", "nothing", "wrong_answer"),
            RowDecision("pairs", "chat/1#0", "keep"),
        ],
    )
    command = ("assistant", "review", "--assistant", folder)
    assert "pass --unanswered FILE, --decisions FILE" in message(run(*command))
    done = run(*command, "--decisions", marks, "--out", review)
    assert "1 questions have an answer" in done.output, done.output
    assert "2 marks are about answers" in done.output
    rows = list(csv.DictReader(review.open()))
    assert [(row["question"], row["answer"], row["nearest"]) for row in rows] == [
        ("Do you sell washing machines?", "", second.question),
        ("The box is stuck, what now?", reset.text, reset.question),
    ]
    assert "1 added" in run("assistant", "add", "--assistant", folder, review).output
    learned = desk.reply("The box is stuck, what now?").answers[0]
    assert (learned.question, learned.text) == ("The box is stuck, what now?", reset.text)


def test_a_file_of_answers_is_added(run, folder, tmp_path):
    write_faq(tmp_path / "more.csv")
    with (tmp_path / "more.csv").open("a") as file:
        file.write("Are you open on holidays?,Only in the morning.\n")
    done = run("assistant", "add", "--assistant", folder, tmp_path / "more.csv", "--language", "en")
    assert "25 added" in done.output  # of another source than desk.csv
    assert "0 added" in run("assistant", "add", "--assistant", folder, tmp_path / "more.csv").output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "an assistant needs answers: pass a dataset (--data), your own files (--own), or both"),
        (("--own", "nowhere.csv"), "nowhere.csv"),
        (("--own", "faq.csv", "--max-refused", "1"), "max_refused: expected a number above 0 and below 1"),
        (("--own", "faq.csv", "--out-of-scope", "nowhere.txt"), "--out-of-scope nowhere.txt: cannot be read"),
        (("--own", "faq.csv", "--languages", "de"), "--languages de: no answer in them; there is en"),
        (("--own", "faq.csv", "--intents", "nowhere"), "nowhere"),
    ],
)
def test_builds_that_are_refused(run, tiny_encoder, tmp_path, monkeypatch, arguments, expected):
    monkeypatch.chdir(tmp_path)
    write_faq(tmp_path / "faq.csv")
    result = run("assistant", "build", *arguments, "--encoder", tiny_encoder, "--language", "en", "--out", "a")
    assert result.exit_code
    assert expected in message(result)
    assert not (tmp_path / "a").exists()


def test_nothing_foreign_is_replaced(run, tiny_encoder, tmp_path):
    faq = write_faq(tmp_path / "faq.csv")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.txt").write_text("mine")
    build = ("assistant", "build", "--own", faq, "--encoder", tiny_encoder, "--out", tmp_path / "a", "--overwrite")
    assert "was not made by `dialogue-cube assistant build`" in message(run(*build))
    assert (tmp_path / "a" / "thesis.txt").read_text() == "mine"


def test_one_question_for_each_answer_promises_nothing(run, tiny_encoder, tmp_path):
    pairs = [("When do you open?", "At nine."), ("Do you deliver?", "In the city only."), ("How do I pay?", "By card.")]
    with (tmp_path / "faq.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("question", "answer"), *pairs])
    done = run("assistant", "build", "--own", tmp_path / "faq.csv", "--encoder", tiny_encoder, "--out", tmp_path / "a")
    assert "Promised: nothing" in " ".join(done.output.split())
    assert "**Nothing is promised" in (tmp_path / "a" / "README.md").read_text()
    record = json.loads((tmp_path / "a" / "calibration.json").read_text())
    assert record["guarantee"] is None
    assert DialogueAssistant.from_pretrained(tmp_path / "a").reply("When do you open?").answers[0].text == "At nine."
