"""The file of decisions: the last line about a row counts, writers do not disturb each other, and a kill leaves no half line."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from dataset_builders.common.decisions import (
    ReplyJudgement,
    RowDecision,
    RowDecisions,
    append_decisions,
    read_decisions,
    read_judgements,
    text_digest,
)
from dataset_builders.common.errors import DataError

WRITER = """
import sys
from pathlib import Path
from dataset_builders.common.decisions import RowDecision, append_decisions
for number in range(int(sys.argv[3])):
    append_decisions(Path(sys.argv[1]), [RowDecision("pairs", f"{sys.argv[2]}/{number}#0", "bad_pair", note="x" * 500)])
    print(number, flush=True)
"""


def writer(path, name, number):
    command = [sys.executable, "-c", WRITER, str(path), name, str(number)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_the_last_decision_about_a_row_counts(tmp_path):
    path = tmp_path / "new" / "decisions.jsonl"
    first = RowDecision(
        "downstream", "tea/train/1", "wrong_label", ("tea/black",), text_digest("a cup"), "sure?", "2026"
    )
    append_decisions(
        path, [first, RowDecision("pairs", "chat/1#0", "bad_pair"), RowDecision("pairs", "chat/1#2", "keep")]
    )
    append_decisions(path, [RowDecision("pairs", "chat/1#0", "withdrawn")])
    assert read_decisions(path).rows == (first, RowDecision("pairs", "chat/1#2", "keep"))
    assert len(path.read_text().splitlines()) == 4
    append_decisions(path, [RowDecision("downstream", "tea/train/1", "keep")])
    assert [decision.decision for decision in read_decisions(path)] == ["keep", "keep"]


def test_judgements_of_answers_are_in_the_same_file_and_no_decisions_about_rows(tmp_path):
    path = tmp_path / "decisions.jsonl"
    keep = RowDecision("pairs", "chat/1#0", "keep")
    first, second = (ReplyJudgement("May my cat\ncome?", name, "wrong_answer", text_digest("No")) for name in "ab")
    append_decisions(path, [first, keep, second])
    append_decisions(
        path, [ReplyJudgement("Is it open?", "a", "right_answer"), ReplyJudgement(*first.key, "withdrawn")]
    )
    assert read_judgements(path) == [second, ReplyJudgement("Is it open?", "a", "right_answer")]
    assert read_decisions(path).rows == (keep,)


def test_the_digest_covers_what_a_build_obeys_and_nothing_else():
    one = RowDecision("pairs", "chat/1#0", "bad_pair", note="dull", at="2026-01-01")
    two = RowDecision("pairs", "chat/1#2", "bad_pair")
    assert (
        RowDecisions.last_of([one, two]).digest
        == RowDecisions.last_of([two, RowDecision("pairs", "chat/1#0", "bad_pair")]).digest
    )
    others = [RowDecision("pairs", "chat/1#0", "keep"), RowDecision("pairs", "chat/1#0", "bad_pair", text="ab")]
    assert len({RowDecisions((each,)).digest for each in (one, two, *others)}) == 4


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"config": "pairs", "id": "chat/1#0"}', "`decision` is missing"),
        ('{"config": "pairs", "id": "chat/1#0", "decision": "wrong_label"}', "expected one of bad_pair, personal_data"),
        ('{"config": "pears", "id": "chat/1#0", "decision": "keep"}', "config 'pears'"),
        ('{"config": "downstream", "id": "tea/1", "decision": "keep", "labels": ["tea/x"]}', "belong to the decision"),
        ('{"config": "downstream", "id": "tea/1", "decision": "wrong_label", "labels": ["x"]}', "begins with tea/"),
        ('{"config": "pairs", "id": "chat/1#0", "decision": "keep", "lable": "x"}', "unknown key `lable`"),
        ('{"config": "replies", "id": "a", "decision": "right_answer"}', "question: expected a text"),
        ('{"config": "replies", "id": "a", "decision": "keep", "question": "Q"}', "expected one of right_answer"),
        ('{"config": "pairs", "id": "chat/1#0", "decision": "keep", "question": "Q"}', "`question` does not belong"),
        ("a thesis", "damaged"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, problem):
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(
        f'{{"config": "pairs", "id": "chat/9#0", "decision": "keep"}}\n{line}\n'.encode(errors="surrogateescape")
    )
    with pytest.raises(DataError, match="line 2") as caught:
        read_decisions(path)
    assert problem in str(caught.value)


@pytest.mark.parametrize("content", ["Chapter one\n", "Chapter one", '{"chapter": 1'])
def test_no_foreign_file_is_written_to(tmp_path, content):
    path = tmp_path / "thesis.txt"
    path.write_text(content)
    with pytest.raises(DataError, match="line 1"):
        append_decisions(path, [RowDecision("pairs", "chat/1#0", "keep")])
    with pytest.raises(DataError, match="line 1"):
        read_decisions(path)
    assert path.read_text() == content
    with pytest.raises(DataError, match="cannot be written"):
        append_decisions(tmp_path, [RowDecision("pairs", "chat/1#0", "keep")])
    with pytest.raises(DataError, match="cannot be read"):
        read_decisions(tmp_path / "missing.jsonl")


def test_an_unfinished_line_is_left_out_and_removed_by_the_next_writer(tmp_path):
    path = tmp_path / "decisions.jsonl"
    keep, bad = RowDecision("pairs", "chat/1#0", "keep"), RowDecision("pairs", "chat/1#2", "bad_pair")
    path.write_text(f"{keep.to_line()}\n{bad.to_line()[:30]}")
    assert read_decisions(path).rows == (keep,)
    append_decisions(path, [bad])
    assert path.read_text() == f"{keep.to_line()}\n{bad.to_line()}\n"
    path.write_text(bad.to_line()[:5])  # the very first line
    append_decisions(path, [bad])
    assert path.read_text() == f"{bad.to_line()}\n"
    path.write_text(keep.to_line())  # an editor left no end of line
    append_decisions(path, [bad])
    assert read_decisions(path).rows == (keep, bad)


def test_two_writers_and_a_kill_lose_no_decision(tmp_path):
    path = tmp_path / "decisions.jsonl"
    one, killed = writer(path, "one", 60), writer(path, "killed", 100_000)
    while not killed.stdout.readline():
        time.sleep(0.01)
    output, _ = one.communicate(timeout=60)
    os.kill(killed.pid, signal.SIGKILL)
    reported = killed.stdout.read().count("\n") + 1
    killed.wait()
    assert output.count("\n") == 60
    append_decisions(path, [RowDecision("pairs", "last/1#0", "keep")])  # the lock of the killed one is free
    ids = [json.loads(line)["id"] for line in path.read_text().splitlines()]
    assert len(set(ids)) == len(ids)
    assert [i for i in ids if i.startswith("one/")] == [f"one/{number}#0" for number in range(60)]
    of_killed = [i for i in ids if i.startswith("killed/")]
    assert of_killed == [f"killed/{number}#0" for number in range(len(of_killed))]
    assert len(of_killed) - reported in (0, 1)
    assert ids[-1] == "last/1#0"
