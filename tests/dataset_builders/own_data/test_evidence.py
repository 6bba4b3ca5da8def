"""What own data do not show is refused with the option that settles it; what they show decides roles and order."""

import json

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.own_data import Rejected, load
from support.own_samples import qa


@pytest.mark.parametrize(
    ("text", "format", "expected"),
    [
        ("- Где?\n- Тут\nслева\n\n— А?\n— Б", "dashed-lines", [qa("Где?", "Тут\nслева"), qa("А?", "Б")]),
        ("Где: тут\nЧто: там", "alternating-lines", [qa("Где: тут", "Что: там")]),
        ("Hi\r\nHello\r\nTea?\r\n\r\n \r\nГде?\r\nТут", "alternating-lines", [qa("Hi", "Hello", "Tea?"), qa("Где?", "Тут")]),
    ],
)  # fmt: skip
def test_lines_without_speakers_are_dialogues_only_if_the_user_says_so(read, text, format, expected):
    with pytest.raises(DataError, match=rf"not evident that its lines are turns.*--format {format}"):
        read("a.txt", text)
    assert read("a.txt", text, format=format) == expected


@pytest.mark.parametrize(
    "content",
    [
        "Ann: Hi\nBob: Hello\nAnn: Tea?",
        json.dumps([{"messages": [{"from": "Ann", "text": "Hi"}, {"from": "Bob", "text": "Hello"}, {"from": "Ann", "text": "Tea?"}]}]),
        json.dumps([[["Ann", "Hi"], ["Bob", "Hello"], ["Ann", "Tea?"]]]),
        "case,author,message\n1,Ann,Hi\n1,Bob,Hello\n1,Ann,Tea?\n".replace("case", "ticket_id"),
    ],
)  # fmt: skip
def test_names_do_not_show_who_answers(read, content):
    with pytest.raises(DataError, match=r"not evident who answers, 'Ann' or 'Bob'; .*--system-speaker"):
        read("a.txt", content)
    assert read("a.txt", content, system_speaker=["bob"]) == [qa("Hi", "Hello", "Tea?")]
    expected = [("system", "Hi"), ("user", "Hello"), ("system", "Tea?")]
    assert read("a.txt", content, system_speaker=["Ann"]) == [expected]


def test_a_speaker_who_does_not_occur_is_refused(read):
    with pytest.raises(DataError, match=r"nobody is called 'Zoe' \(--system-speaker\); speakers are.*: Ann, Bob"):
        read("a.txt", "Ann: Hi\nBob: Hello\nAnn: Tea?", system_speaker=["Bob", "Zoe"])


def test_the_one_name_in_every_conversation_answers(read):
    dialogues = [[{"from": user, "text": "Hi"}, {"from": "Zoe", "text": "Hello"}] for user in ("Ann", "Bob", "Eve")]
    records = [{"dialog": list(reversed(d)) if i == 1 else d} for i, d in enumerate(dialogues)]
    answered = [("system", "Hello"), ("user", "Hi")]
    assert read("a.json", records) == [qa("Hi", "Hello"), answered, qa("Hi", "Hello")]
    with pytest.raises(DataError, match="not evident who answers"):  # Ann is in all of them, too
        read("a.json", [{"dialog": dialogues[0]}] * 3)


def test_turns_are_sorted_by_their_times(read):
    rows = ["2026-01-31T12:00:05Z,1,client,A", "2026-01-31T12:00:09Z,1,bot,D", "2026-01-31T12:00:07Z,1,bot,B", "2026-01-31T12:00:08Z,1,client,C"]  # fmt: skip
    table = "\n".join(["created_at,ticket_id,author,message", *rows])
    assert read("a.csv", table) == [[("user", "A"), ("system", "B"), ("user", "C"), ("system", "D")]]
    local = table.replace("2026-01-31T", "03/04/26 ").replace("Z", "")
    with pytest.raises(DataError, match=r"'03/04/26 12:00:05' may be day/month or month/day; .*--date-order"):
        read("a.csv", local)
    assert len(read("a.csv", local, date_order="dmy")[0]) == 4
    broken = table.replace("2026-01-31T12:00:07Z", "soon")
    with pytest.raises(DataError, match="no time like those of the other rows"):
        read("a.csv", broken)


def test_rows_of_turns_need_a_column_for_the_dialogue(read):
    table = "case,author,message\n1,client,Hi\n1,bot,Hello\n2,client,Tea?\n2,bot,Yes\n"
    with pytest.raises(DataError, match=r"not evident which turns are one dialogue; .*--dialogue-column, one of case"):
        read("a.csv", table)
    assert read("a.csv", table, dialogue_column="case") == [qa("Hi", "Hello"), qa("Tea?", "Yes")]
    assert read("a.csv", table, dialogue_column="file") == [qa("Hi", "Hello", "Tea?", "Yes")]


def test_lists_of_two_texts_that_may_be_either_are_refused(read):
    lists = [[["Tea", "Hot"], ["Milk", "Cold"]]]
    with pytest.raises(DataError, match=r"\[speaker, text\] or \[question, answer\]"):
        read("a.json", lists)
    assert read("a.json", lists, question_column="1", answer_column="2") == [qa("Tea", "Hot", "Milk", "Cold")]


def test_messages_that_are_no_turns_are_counted(tmp_path):
    turns = [
        {"role": "system", "content": "Sell tea"}, {"role": "user", "content": "<image>\nWhat is it?"},
        {"role": "assistant", "content": None, "tool_calls": [{}]}, {"role": "tool", "content": "tea"},
        {"role": "assistant", "content": "<p>Green <b>tea</b>,<br>hot</p>"}, {"role": "user", "content": "[Photo]"},
    ]  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps([{"messages": turns}]))
    data = load(tmp_path / "a.json")
    (dialogue,) = data.dialogues
    assert [(t.speaker, t.text) for t in dialogue.turns] == qa("What is it?", "Green tea,\nhot")
    assert data.total.left_out == {"prompts": 1, "media": 2, "tools": 2, "html": 1}
    (dialogue,) = load(tmp_path / "a.json", keep=["tools", "media", "prompts"]).dialogues
    assert [t.text for t in dialogue.turns] == ["Sell tea", "What is it?", "", "tea", "Green tea,\nhot", "[Photo]"]


def test_names_of_participants_become_roles(read):
    table = "ticket_id,author,message\n1,Will Ross,Will you help?\n1,Zoe (support),Hi Ross! It is Zoe\n"
    assert read("a.csv", table) == [qa("Will you help?", "Hi [USER]! It is [SYSTEM]")]
    assert read("a.csv", table, keep_names=True) == [qa("Will you help?", "Hi Ross! It is Zoe")]


def test_a_pause_ends_a_conversation(read):
    rows = ["1,client,A,2026-01-31 12:00", "1,bot,B,2026-01-31 12:01", "1,client,C,2026-02-01 12:00", "1,bot,D,2026-02-01 12:01"]  # fmt: skip
    table = "\n".join(["ticket_id,author,message,time", *rows])
    assert read("a.csv", table) == [qa("A", "B", "C", "D")]
    assert read("a.csv", table, session_gap="6h") == [qa("A", "B"), qa("C", "D")]
    with pytest.raises(DataError, match="a duration such as 30m, 6h or 2d"):
        read("a.csv", table, session_gap="long")


def test_more_than_two_speakers_are_rejected(read):
    events = read("a.txt", "user: Hi\nbot: Hello\n\nuser: Hi\nbot: x\nагент: y\n\n" + "user: a\nbot: b\n\n" * 10)
    assert not any(isinstance(e, Rejected) for e in events)  # two names of one role
    dialog = [{"from": name, "text": "x"} for name in ("Anna", "Ivan", "Eva")]
    good = [{"from": name, "text": "x"} for name in ("Anna", "bot")]
    (rejected,) = [
        e for e in read("a.json", [{"dialog": d} for d in [dialog] + [good] * 10]) if isinstance(e, Rejected)
    ]
    assert "it is not evident who answers, 'Anna' or 'Ivan' or 'Eva'" in rejected.reason


def test_times_without_a_day_order_turns_only_if_the_user_says_so(read):
    rows = ["1,client,A,10:02", "1,bot,D,10:05", "1,bot,B,10:03", "1,client,C,10:04"]
    table = "\n".join(["ticket_id,author,message,time", *rows])
    with pytest.raises(DataError, match=r"'time' have no day, and the rows are not in their order.*--time-column time"):
        read("a.csv", table)
    expected = [[("user", "A"), ("system", "B"), ("user", "C"), ("system", "D")]]
    assert read("a.csv", table, time_column="time") == expected
    assert read("a.csv", "\n".join(["ticket_id,author,message,time", *sorted(rows, key=lambda r: r[-5:])])) == expected


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("a.csv", "fall,wer,was\n1,kunde,Hi\n1,wir,Hello\n", {"dialogue_column": "fall", "speaker_column": "wer", "text_column": "was"}),
        ("a.jsonl", '{"x": {"y": [{"wer": "kunde", "was": "Hi"}, {"wer": "wir", "was": "Hello"}]}}', {"turns_path": "x.y", "speaker_column": "wer", "text_column": "was"}),
        ("a.json", [{"turns": [{"who": "kunde", "was": "Hi"}, {"who": "wir", "was": "Hello"}]}], {"turns_path": "turns", "text_column": "was"}),
    ],
)  # fmt: skip
def test_a_layout_of_other_names_is_refused_with_the_options_that_name_it(read, name, content, options):
    with pytest.raises(DataError, match=r"name them: .*turns_path.*"):
        read(name, content)
    assert read(name, content, system_speaker=["wir"], **options) == [qa("Hi", "Hello")]


def test_a_list_of_turns_at_a_path_is_no_metadata(tmp_path):
    record = {
        "data": {"turns": [{"role": "user", "text": "Hi"}, {"role": "bot", "text": "Hello"}], "team": "x"},
        "n": 1,
    }
    (tmp_path / "a.jsonl").write_text(json.dumps(record))
    (dialogue,) = load(tmp_path / "a.jsonl", turns_path="data.turns").dialogues
    assert json.loads(dialogue.metadata) == {"data": {"team": "x"}, "n": 1}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "Bob: Hi\nAnn (Support): Hello\nBob: Tea?\nAnn (Support): Yes\n\nBob: Hi\nAnn (Support): Hello\n"),
        ("a.txt", "Client> Hi\r\nOperator> Hello\r\n-----\r\nClient> Hi\r\nOperator> Hello\r\n"),
        ("a.txt", "Client (12:01): Hi\nOperator (Ann): Hello\n\nClient (12:05): Hi\nOperator (Ann): Hello\n"),
        ("a.csv", 'case,transcript\n1,"Customer: Hi\nAgent: Hello"\n2,"Customer: Hi\nAgent: Hello"\n'),
    ],
)
def test_names_with_roles_arrows_and_transcripts_in_cells(read, name, content):
    assert read(name, content)[-1] == qa("Hi", "Hello")
    assert [speaker for dialogue in read(name, content) for speaker, _ in dialogue[:2]] == ["user", "system"] * 2
