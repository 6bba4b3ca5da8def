"""Exports of assistants and data sets: what the samples of formats do not show."""

import json
import random
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.own_data import Rejected, load
from dataset_builders.own_data.containers.inputs import find_all
from dataset_builders.own_data.formats import chatml, id_map
from dataset_builders.own_data.probe import Probe
from support.own_samples import SAMPLES

NAMES = (
    *("anthropic-messages", "chatgpt", "chatml", "claude", "gemini-contents", "id-map", "oasst"),
    *("openai-messages", "parlai", "preference", "question-answer-lists", "sharegpt", "squad"),
)
ODD = [None, True, -1, 1.5, "", "x", [], {}, [None], [[]], {"a": 1}, ["x"], 10**20]


@pytest.fixture
def rows(tmp_path):
    """File name, records or text -> all rows and rejected records."""

    def run(name, content, **options):
        path = tmp_path / name
        lines = content if isinstance(content, str) else "\n".join(json.dumps(r, ensure_ascii=False) for r in content)
        path.write_text(lines)
        return list(load(path, max_bad_share=1, **options))

    return run


def turns(dialogue):
    return [(turn.speaker, turn.text) for turn in dialogue.turns]


def test_plain_lists_of_messages_give_the_rows_of_the_general_reader(rows):
    said = [{"role": "user", "content": " Hi "}, {"role": "assistant", "content": "Hello\n"}]
    records = [
        {"id": 0, "messages": said, "language": "en", "split": "test", "topic": "tea", "n": 3, "more": {"a": [1]}},
        {"id": 7.0, "messages": [{"role": "system", "content": "Sell tea"}, *said], "system": "Shop", "domain": "tea"},
        {"messages": [{"role": "system", "content": "Sell tea"}, said[0]]},
        {"messages": [said[0], {"role": "system", "content": "Hello"}, said[0], {"role": "system", "content": "Bye"}]},
        {"messages": [{"role": "user", "content": "B", "time": "2026-01-02"}, {**said[1], "time": "2026-01-01"}]},
        {"messages": [{"role": "user", "content": 5}, {"role": "assistant", "content": ["five"]}]},
    ]
    assert rows("a.jsonl", records) == rows("a.jsonl", records, format="jsonl")
    spoken = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
    records = [
        {"id": "a", "conversations": spoken, "model": "m"},
        {"conversations": [{"from": "system", "value": "Sell tea"}, *spoken, {"from": "tool", "value": "5"}]},
        {
            "conversations": [
                spoken[0],
                {"from": "system", "value": "Hello"},
                spoken[0],
                {"from": "system", "value": "A"},
            ]
        },
    ]
    assert rows("b.jsonl", records) == rows("b.jsonl", records, format="jsonl")


def test_titles_models_and_worse_answers_are_kept(rows):
    (tree, *_) = load(SAMPLES / "chatgpt" / "export").dialogues
    assert tree.scenario == "Grünen Tee aufbrühen\nBe brief."
    assert (tree.original_id, json.loads(tree.metadata)["default_model_slug"]) == ("c-1", "gpt-x")
    (first, second) = rows("a.jsonl", [{"prompt": "Tea?", "chosen": "Yes", "rejected": "No", "source": "x"}] * 2)
    assert json.loads(first.metadata) == {"source": "x", "rejected": "No"} == json.loads(second.metadata)
    (_, bad) = load(SAMPLES / "preference" / "kto").dialogues
    assert (turns(bad), json.loads(bad.metadata)) == ([("user", "Is matcha red?")], {"rejected": "Yes."})
    (first, impossible, _) = load(SAMPLES / "squad" / "v2").dialogues
    assert (first.domains, json.loads(first.metadata)) == (["Black tea"], {"answers": ["from India"]})
    assert first.scenario == impossible.scenario == "Assam is a black tea from India. It is strong and malty."
    assert [d.domains for d in load(SAMPLES / "dailydialog" / "release").dialogues] == [["Ordinary Life"], ["Tourism"], ["Work"]]  # fmt: skip
    assert [d.language for d in load(SAMPLES / "oasst" / "messages").dialogues] == ["en", "ru"]


def test_lists_of_the_same_length_are_taken_side_by_side(rows):
    records = [
        {"id": 1, "questions": ["A?", "B?"], "answers": ["a", "b"]},
        {"questions": ["C?"], "answers": ["c", "d"]},
    ]
    dialogues = rows("a.jsonl", records)
    assert [turns(d) for d in dialogues] == [
        [("user", "A?"), ("system", "a")],
        [("user", "B?"), ("system", "b")],
        [("user", "C?"), ("system", "c")],
    ]
    assert [d.original_id for d in dialogues] == ["1.1", "1.2", None]
    assert json.loads(dialogues[2].metadata) == {"answers": ["d"]}


@pytest.mark.parametrize(
    ("good", "bad", "reason"),
    [
        ({"messages": [{"role": "user", "content": "Hi"}]}, {"messages": [{"role": "user", "content": "Hi"}, {"role": "boss", "content": "x"}]}, "expected turn 2 to have a `role` of"),
        ({"conversations": [{"from": "human", "value": "Hi"}]}, {"conversations": [{"from": "human", "value": "Hi"}, {"from": "Eva"}]}, "expected turn 2 to have `from`"),
        ({"prompt": "Hi", "chosen": "a", "rejected": "b"}, {"chosen": "a", "rejected": "b"}, "the answer in `chosen` has no question"),
        ({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}, {"contents": [{"role": "user", "parts": []}, {"role": "boss", "parts": []}]}, "expected a content with a `role`"),
        ({"uuid": "1", "chat_messages": [{"sender": "human", "text": "Hi"}]}, {"uuid": "2", "chat_messages": [{"sender": "boss"}]}, "expected the `sender` to be human"),
        ({"questions": ["a", "b"], "answers": ["c"]}, {"questions": [], "answers": ["c"]}, "it has no question"),
        ({"questions": ["a", "b"], "answers": ["c"]}, {"questions": ["a"], "answers": ["A"], "options": ["b"]}, "its answers are not all right"),
    ],
)  # fmt: skip
def test_records_that_are_not_as_the_format_says_are_named(rows, good, bad, reason):
    events = rows("a.jsonl", [good, bad, good])
    (rejected,) = (event for event in events if isinstance(event, Rejected))
    assert (rejected.line, rejected.reason[: len(reason)]) == (2, reason)
    assert len(events) >= 3


def test_circles_in_trees_are_named(rows):
    node = {"id": "a", "message": None, "parent": "b", "children": ["b"]}
    circle = {"mapping": {"a": node, "b": {**node, "id": "b", "parent": "a"}}, "current_node": "a"}
    said = {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["Hi"]}}
    (_, rejected) = rows("a.jsonl", [{"mapping": {"a": {"id": "a", "parent": None, "message": said}}}, circle])
    assert rejected.reason == "expected a tree of messages, and `parent` leads in a circle"
    turn = {"uuid": "a", "parent_message_uuid": "", "sender": "human", "text": "Hi"}
    circle = [{**turn, "parent_message_uuid": "b"}, {**turn, "uuid": "b", "parent_message_uuid": "a"}]
    (_, rejected) = rows("b.jsonl", [{"uuid": "1", "chat_messages": chat} for chat in ([turn], circle)])
    assert rejected.reason == "expected a tree of messages, and `parent_message_uuid` leads in a circle"
    row = {"message_id": "", "parent_id": "", "message_tree_id": "t", "role": "prompter", "text": "Hi"}
    assert [turns(d) for d in rows("c.jsonl", [row])] == [[("user", "Hi")]]


def test_parquet_files_are_read_as_well(tmp_path):
    messages = [[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]] * 2
    pq.write_table(pa.table({"messages": messages, "topic": ["a", "b"]}), tmp_path / "a.parquet")
    assert [json.loads(d.metadata) for d in load(tmp_path / "a.parquet").dialogues] == [{"topic": "a"}, {"topic": "b"}]
    records = [json.loads(line) for line in next((SAMPLES / "oasst" / "messages").iterdir()).read_text().splitlines()]
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "b.parquet")
    assert len(list(load(tmp_path / "b.parquet").dialogues)) == 2


def test_only_maps_of_ids_to_dialogues_are_such_maps(rows, tmp_path):
    turn = {"speaker": "user", "text": "Hi"}
    dialogues = rows("a.json", json.dumps({"d-1": [turn, {"speaker": "bot", "text": "Hello"}], "d-2": [turn]}))
    assert [d.original_id for d in dialogues] == ["d-1", "d-2"]
    (tmp_path / "b.json").write_bytes((tmp_path / "a.json").read_text().encode("utf-16"))
    assert [turns(d) for d in load(tmp_path / "b.json").dialogues] == [turns(d) for d in dialogues]
    wrapped = {"train": [{"dialogue": [turn]}], "test": [{"dialogue": [turn]}]}
    by_row = {"part one": [{"dialogue_id": 1, **turn}], "part two": [{"dialogue_id": 2, **turn}]}
    for content in (wrapped, by_row, {"greet": ["Hi", "Hello"], "bye": ["Bye"]}, {"x": [{"text": "Hi"}], "y": [{"text": "A"}]}):  # fmt: skip
        (tmp_path / "c.json").write_text(json.dumps(content))
        (file,) = find_all(tmp_path / "c.json").data
        assert not id_map.FORMAT.recognises(Probe(file, "utf-8"))
    (tmp_path / "d.json").write_text('{"d-1": {"log": [{"text": "a"}]}, "d-2": {"log": [{"text": "a"}]}, ')
    with pytest.raises(DataError, match=r"d\.json: not valid JSON"):
        list(load(tmp_path / "d.json"))


def test_texts_of_templates_in_tables_and_guides_are_no_files_of_templates(tmp_path):
    said = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n"
    for name, text in (("a.txt", said), ("a.csv", f'text\n"{said}"'), ("b.csv", said), ("a.md", f"# ChatML\n\n{said}")):
        (tmp_path / name).write_text(text)
        (file,) = find_all(tmp_path / name).data
        assert chatml.FORMAT.recognises(Probe(file, "utf-8")) == (name == "a.txt")


@pytest.mark.parametrize("name", NAMES)
def test_odd_values_never_stop_a_format(tmp_path, name):
    rng = random.Random(name)
    sources = [path for path in SAMPLES.glob(f"{name}/*/*") if path.suffix in (".json", ".jsonl")]
    for source in sources:
        text = source.read_text()
        values = [json.loads(text)] if source.suffix == ".json" else list(map(json.loads, text.splitlines()))
        for number in range(8):
            path = tmp_path / f"{number}-{source.name}"
            path.write_text("\n".join(json.dumps(_changed(value, rng)) for value in values))
            with suppress(DataError):  # no record is good
                for row in load(path, max_bad_share=1, format=name):
                    assert isinstance(row, Rejected) or row.turns


def _changed(value, rng):
    """A copy of a JSON value in which one value is another one."""
    copy = json.loads(json.dumps(value))
    place = copy
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return copy
        key = rng.choice(keys)
        if not isinstance(place[key], dict | list) or not place[key] or rng.random() < 0.3:
            place[key] = rng.choice(ODD)
            return copy
        place = place[key]
