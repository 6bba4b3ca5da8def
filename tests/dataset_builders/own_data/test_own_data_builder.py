"""Own data as `datasets` builders: rows and rejected records are cached together."""

import json
import random

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.own_data import Rejected, load, own_builders
from dataset_builders.schema import FEATURES


@pytest.fixture
def own(tmp_path):
    """A folder with dialogues, intents and one bad record of each."""
    folder = tmp_path / "acme"
    folder.mkdir()
    pairs = [f"Where is box {n}?,On shelf {n}" for n in range(30)]
    (folder / "faq.csv").write_text("\n".join(["question,answer", *pairs, "no answer,"]))
    chats = [
        {"messages": [{"role": "user", "content": "Где?"}, {"role": "assistant", "content": str(n)}]} for n in range(20)
    ]
    (folder / "chats.json").write_text(json.dumps([*chats, {"messages": []}]))
    (folder / "intents.jsonl").write_text('{"text": "Где чай", "intent": "find"}\n' * 20 + "{\n")
    return folder


@pytest.mark.parametrize("num_proc", [None, 2])
def test_rows_and_rejects(own, tmp_path, num_proc):
    data = load(own, "acme", "ru")
    dialogues, intents = own_builders(data, cache_dir=tmp_path / "cache")
    for builder in (dialogues, intents):
        builder.download_and_prepare(num_proc=num_proc)
    rows = dialogues.as_dataset()["train"]
    assert rows.features == FEATURES["dialogues"]
    assert [rows[i]["dialogue_id"] for i in (0, 20)] == ["acme/chats.json/1", "acme/faq.csv/1"]
    assert {(r["source"], r["language"], r["license"], r["redistributable"], r["original_split"]) for r in rows} == {
        ("acme", "ru", "LicenseRef-private", False, "all")
    }
    assert [(t["speaker"], t["text"]) for t in rows[20]["turns"]] == [
        ("user", "Where is box 0?"),
        ("system", "On shelf 0"),
    ]
    assert (len(rows), dialogues.tally.records, dialogues.tally.rejected) == (50, 52, 2)
    assert [(r.file, r.line) for r in dialogues.rejected()] == [("chats.json", 1), ("faq.csv", 32)]
    (intent,) = {(r["utterance"], r["label"], r["source"]) for r in intents.as_dataset()["train"]}
    assert intent == ("Где чай", "acme-intents/find", "acme-intents")
    assert [str(r) for r in intents.rejected()] == ["intents.jsonl: line 21: not valid JSON (unexpected end of data)"]


def test_rejects_come_from_the_cache_and_change_with_the_input(own, tmp_path):
    def prepared(**options):
        builder = own_builders(load(own, "acme", **options), cache_dir=tmp_path / "cache")[0]
        builder.download_and_prepare()
        return builder

    first, second = prepared(), prepared()
    assert first.cache_dir == second.cache_dir
    assert list(first.rejected()) == list(second.rejected()) != []
    with pytest.raises(DataError, match=r"2 of 52 records cannot be used \(more than 1%\)"):
        prepared(max_bad_share=0.01)  # also with rows from the cache
    assert prepared(language="en").cache_dir != first.cache_dir
    (own / "faq.csv").write_text("question,answer\na,b\n")
    assert prepared().tally.records == 22


def test_too_many_bad_records_in_worker_processes(own, tmp_path):
    (own / "faq.csv").write_text("question,answer\n" + "x,\n" * 200)
    builder = own_builders(load(own), cache_dir=tmp_path / "cache")[0]
    with pytest.raises(DataError, match=r"faq\.csv: its first 100 records cannot be used"):
        builder.download_and_prepare(num_proc=2)


def test_licence_and_name_are_checked(own, tmp_path):
    data = load(own, "acme")
    (dialogues, _) = own_builders(data, license="CC-BY-4.0", cache_dir=tmp_path)
    assert dialogues.INFO.redistributable
    with pytest.raises(DataError, match="unknown licence 'CC'; expected one of"):
        own_builders(data, license="CC")
    with pytest.raises(DataError, match="sgd is the name of a public source"):
        own_builders(load(own, "sgd"))


def test_intents_alone_keep_the_name(own, tmp_path):
    (builder,) = own_builders(load(own / "intents.jsonl", "acme"), cache_dir=tmp_path)
    builder.download_and_prepare()
    assert builder.as_dataset()["train"][0]["utterance_id"] == "acme/all/intents.jsonl/1"


SEEDS = {
    "a.jsonl": '{"id": 1, "q": "Где чай?", "a": "Тут"}\n{"messages": [{"role": "user", "content": "Hi"}]}\n' * 5,
    "a.json": json.dumps([{"conversations": [{"from": "human", "value": "Да\n"}, {"from": "gpt", "value": "é"}]}] * 5),
    "a.csv": 'question;answer\n"Где; ""чай""?";"Тут\nслева"\nHi;Hello\n' * 5,
    "rows.csv": "dialogue_id,speaker,text\n1,user,Hi\n1,bot,Да\n2,user,x\n" * 5,
    "a.txt": "Вопрос: где?\nОтвет: тут\n\nQ: Hi\nA: Hello\n\n" * 5,
    "b.txt": "- Hi\n- Hello\n\nэто\nда\n" * 5,
}


@pytest.mark.parametrize("seed", range(60))
def test_damaged_files_never_end_in_a_traceback(tmp_path, seed):
    rng = random.Random(seed)
    for name, text in SEEDS.items():
        raw = bytearray(text.encode(rng.choice(["utf-8", "utf-8", "cp1251", "utf-16", "koi8-r"]), "replace"))
        for _ in range(rng.randint(0, 6)):
            kind, place = rng.randrange(4), rng.randrange(len(raw))
            if kind == 0:
                raw[place] = rng.randrange(256)
            elif kind == 1:
                del raw[place : place + rng.randint(1, 9)]
            elif kind == 2:
                raw[place:place] = rng.choice([b'"', b"\n", b"{", b"]", b"\0", b";", b"\r", b"\xef\xbb\xbf", b":"])
            elif rng.random() < 0.3:
                del raw[place + 1 :]
        (tmp_path / name).write_bytes(raw)
        try:
            events = list(load(tmp_path / name, max_bad_share=1, rejects=tmp_path / "rejects"))
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert events
    (tmp_path / "noise").write_bytes(rng.randbytes(rng.randint(1, 3000)))
    try:
        list(load(tmp_path / "noise", max_bad_share=1))
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017


ODD = [
    None,
    True,
    1.5,
    10**30,
    "",
    " ",
    "x\ny",
    "\ud800",
    [],
    {},
    [[]],
    [None],
    ["a", "b"],
    {"role": "user"},
    [{"text": 1}],
    "system",
]
RECORDS = [
    {"id": "1", "q": "a", "a": "b", "system": "s", "history": [["c", "d"]], "language": "en", "domain": "x"},
    {"instruction": "a", "input": "b", "output": "c"},
    {"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": [{"type": "text", "text": "b"}]}]},
    {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "system": "x"},
    {"dialogue": "user: a\nbot: b"},
    {"dialogue_id": 1, "turn_id": 0, "speaker": "user", "text": "a"},
    {"tag": "a", "patterns": ["b", "c"]},
    [{"author": {"role": "user"}, "text": "a"}, {"user": "b", "bot": "c"}, ["user", "d"], "e"],
]


def with_odd_value(value, rng):
    """A copy in which one value at any depth is replaced."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.25:
        return rng.choice(ODD)
    key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
    copy = value.copy()
    copy[key] = with_odd_value(value[key], rng)
    return copy


@pytest.mark.parametrize("seed", range(60))
def test_odd_values_never_end_in_a_traceback(tmp_path, seed):
    rng = random.Random(seed)
    for number, record in enumerate(RECORDS):
        records = [with_odd_value(record, rng) for _ in range(8)]
        records.insert(rng.randrange(2) * 8, record)
        (tmp_path / f"{number}.json").write_text(json.dumps(records))
        (tmp_path / f"{number}.jsonl").write_text("\n".join(map(json.dumps, records)))
        counts = []
        for form in ("json", "jsonl"):
            data = load(tmp_path / f"{number}.{form}", max_bad_share=1, rejects=tmp_path / "rejects")
            try:
                counts.append([0 if isinstance(event, Rejected) else 1 for event in data])
            except DataError as error:
                assert "\n" not in str(error)  # noqa: PT017
        assert len(counts) < 2 or counts[0] == counts[1]
