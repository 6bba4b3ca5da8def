"""Own data in every supported form, in English and Russian."""

import gzip
import json
import zipfile

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.own_data import Rejected, load
from support.own_samples import qa

EN, RU = qa("Where is the tea?", "On the shelf"), qa("Где чай?", "На полке, слева")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("question", "answer"), ("Question", "Answer"), ("q", "a"), ("prompt", "completion"), ("prompt", "response"),
        ("input", "output"), ("user", "bot"), ("human", "assistant"), ("instruction", "output"), ("text", "answer"),
        ("вопрос", "ответ"), ("Вопрос", "Ответ"), ("в", "о"), ("Клиент", "Оператор"), ("Пользователь", "Бот"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("expected", [EN, RU])
def test_pairs_with_every_column_name_in_every_form(read, question, answer, expected):
    (_, asked), (_, reply) = expected
    record = {"n": 1, question: asked, answer: reply}
    line = json.dumps(record)
    assert read("a.json", [record, record]) == [expected] * 2
    assert read("a.json", {"version": 2, "data": [record]}) == [expected]
    assert read("a.json", record) == [expected]
    assert read("a.jsonl", f"{line}\n\n{line}") == [expected] * 2
    assert read("any name", f"{line}\r\n{line}\r\n") == [expected] * 2  # content decides
    for delimiter in ",;\t|":
        rows = f'n{delimiter}{question}{delimiter}{answer}\n1{delimiter}"{asked}"{delimiter}"{reply}"\n'
        assert read("a.csv", rows) == [expected]
        assert read("a.txt", rows) == [expected]


def test_alpaca(read):
    records = [
        {"instruction": "Translate", "input": "cat", "output": "кошка", "system": "Be brief"},
        {"instruction": "Name a tree", "input": "", "output": "Oak", "system": "", "history": [["Hi", "Hello"]]},
    ]
    assert read("a.json", records) == [qa("Translate\ncat", "кошка"), qa("Hi", "Hello", "Name a tree", "Oak")]


MESSAGES = {
    "messages": [
        {"role": "system", "content": "You sell tea."},
        {"role": "user", "content": [{"type": "text", "text": "Где"}, {"type": "image_url"}, {"type": "text", "text": "чай?"}]},
        {"role": "assistant", "content": None, "tool_calls": [{}]},
        {"role": "tool", "content": "3 boxes"},
        {"role": "assistant", "content": "Here"},
    ]
}  # fmt: skip


def test_openai_messages_keep_the_prompt_as_scenario(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps(MESSAGES) + "\n" + json.dumps(MESSAGES))
    first, second = load(tmp_path / "a.jsonl").dialogues
    assert first.scenario == second.scenario == "You sell tea."
    assert [(t.speaker, t.text) for t in first.turns] == [("user", "Где\nчай?"), ("system", "Here")]


@pytest.mark.parametrize(
    "record",
    [
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}, {"from": "human", "value": "Tea?"}]},
        {"dialogue": [{"speaker": "USER", "text": "Hi"}, {"speaker": "SYSTEM", "text": "Hello"}, {"speaker": "USER", "text": "Tea?"}]},
        {"turns": [{"role": "клиент", "utterance": "Hi"}, {"role": "оператор", "utterance": "Hello"}, {"role": "клиент", "utterance": "Tea?"}]},
        {"dialog": [{"from": "Anna", "text": "Hi"}, {"from": "Ivan (Support)", "text": "Hello"}, {"from": "Anna", "text": "Tea?"}]},
        {"dialog": [{"from": "Speaker 1", "text": "Hi"}, {"from": "Speaker 2", "text": "Hello"}, {"from": "Speaker 1", "text": "Tea?"}]},
        {"dialog": [["Anna", "Hi"], ["Helper bot", "Hello"], ["Anna", "Tea?"]]},
        {"dialog": [["user", "Hi"], ["bot", "Hello"], ["user", "Tea?"]]},
        {"dialog": ["Hi", "Hello", "Tea?"]},
        {"dialogue": "User: Hi\nBot: Hello\nUser: Tea?"},
        {"prompt": [{"role": "user", "content": "Hi"}], "completion": [{"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Tea?"}]},
        [{"role": "user", "text": "Hi"}, {"role": "assistant", "text": "Hello"}, {"role": "user", "text": "Tea?"}],
    ],
)  # fmt: skip
def test_dialogues_in_json(read, record):
    expected = qa("Hi", "Hello", "Tea?")
    assert read("a.json", json.dumps([record, record], indent=1)) == [expected] * 2
    assert read("a.json", json.dumps(record, indent=1)) == [expected]
    assert read("a.jsonl", json.dumps(record) + "\n" + json.dumps(record) + "\n") == [expected] * 2


def test_dialogues_over_interleaved_rows(read, tmp_path):
    rows = "Диалог;Роль;Текст\r\n7;клиент;Где чай?\r\n8;клиент;Hi\r\n7;оператор;На полке\r\n8;бот;Hello\r\n"
    assert read("a.csv", rows) == [qa("Где чай?", "На полке"), qa("Hi", "Hello")]
    assert [d.id for d in load(tmp_path / "a.csv").dialogues] == ["a.csv/7", "a.csv/8"]
    ordered = [
        {"dialogue_id": 7, "turn_id": 1, "speaker": "system", "text": "B"},
        {"dialogue_id": 7, "turn_id": 0, "speaker": "user", "text": "A"},
    ]
    assert read("a.json", ordered) == [qa("A", "B")]
    assert read("a.jsonl", "\n".join(map(json.dumps, ordered))) == [qa("A", "B")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Q: Hi\nA: Hello\nthere\n\nQ: Bye\nA: See you", [qa("Hi", "Hello\nthere"), qa("Bye", "See you")]),
        ("Q: Hi\n\nA: Hello\n\nQ: Bye\n\nA: See you", [qa("Hi", "Hello"), qa("Bye", "See you")]),
        ("user: Hi\nassistant: Hello\nuser: Tea?", [qa("Hi", "Hello", "Tea?")]),
        ("operator: Hi\nuser: Hello", [[("system", "Hi"), ("user", "Hello")]]),
        ("**User:** Hi\n**Agent:** Hello", [qa("Hi", "Hello")]),
        ("[10:31] user: Hi\n[10:32] bot: At 10:40", [qa("Hi", "At 10:40")]),
        ("В: Где?\nО: Тут\n\nВ: Когда?\nО: Завтра\nВ 10:00 утра", [qa("Где?", "Тут"), qa("Когда?", "Завтра\nВ 10:00 утра")]),
        ("Вопрос 1: Где?\nОтвет 1: Тут", [qa("Где?", "Тут")]),
        ("Пользователь: Где?\nАссистент: Тут", [qa("Где?", "Тут")]),
        ("Клиент: Где?\nОператор: Тут\n---\nКлиент: А?\nБот: Б", [qa("Где?", "Тут"), qa("А?", "Б")]),
        ("Анна: Где?\nБот Иван: Тут\nАнна: А", [qa("Где?", "Тут", "А")]),
        ("A: Hi\nB: Hello\nA: Tea?", [qa("Hi", "Hello", "Tea?")]),
    ],
)  # fmt: skip
def test_plain_text(read, text, expected):
    assert read("a.txt", text) == expected
    assert read("a.txt", "\ufeff" + text + "\n\n") == expected


def test_dotted_columns_and_the_path_of_turns(read):
    record = {
        "meta": {"case": 7},
        "data": {"log": [
            {"by": {"name": "Zoe"}, "body": {"plain": "Hello"}, "sent": "2026-01-31 12:01"},
            {"by": {"name": "Ann"}, "body": {"plain": "Hi"}, "sent": "2026-01-31 12:00"},
        ]},
    }  # fmt: skip
    columns = {
        "turns_path": "data.log",
        "speaker_column": "by.name",
        "text_column": "body.plain",
        "time_column": "sent",
    }
    assert read("a.json", [record], **columns, system_speaker=["Zoe"]) == [qa("Hi", "Hello")]
    pair = {"in": {"text": "Hi"}, "out": [{"text": "Hello"}]}
    assert read("a.jsonl", json.dumps(pair), question_column="in.text", answer_column="out.0.text") == [
        qa("Hi", "Hello")
    ]


def test_other_columns_are_metadata(tmp_path):
    (tmp_path / "a.csv").write_text("team,q,a,note\nred,Hi,Hello,\n")
    (row,) = load(tmp_path / "a.csv").dialogues
    assert json.loads(row.metadata) == {"team": "red"}
    rows = "ticket_id,author,message,team,mood\n1,client,Hi,red,sad\n1,bot,Hello,red,glad\n"
    (tmp_path / "a.csv").write_text(rows)
    (row,) = load(tmp_path / "a.csv").dialogues
    assert json.loads(row.metadata) == {"team": "red", "mood": ["sad", "glad"]}


def test_own_labels_may_be_several(read):
    records = [
        {"text": "move it", "intent": ["change", " my  booking"]},
        {"text": "hello", "intent": ["greet"]},
        {"text": "hm", "intent": ["change", " "]},
    ]
    *rows, rejected = read("a.json", records, max_bad_share=1)
    assert rows == [("move it", ["change", "my booking"]), ("hello", "greet")]
    assert "the label is empty" in rejected.reason
    lines = "__label__a __label__b hi\n__label__a so\n"
    assert read("train.txt", lines) == [("hi", ["a", "b"]), ("so", "a")]


def test_own_labels_may_be_out_of_scope(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\nHi,greet\nBlah,oos\nBlub,out of scope\n")
    assert [u.is_out_of_scope for u in load(tmp_path / "a.csv").utterances] == [False, True, True]


@pytest.mark.parametrize(
    ("text", "label"),
    [("utterance", "label"), ("text", "intent"), ("query", "category"), ("текст", "класс"), ("фраза", "интент"), ("Текст", "Метка")],
)  # fmt: skip
def test_own_intents(read, text, label):
    expected = [("Where is it", "find"), ("Где это", "найти")]
    records = [{text: utterance, label: name} for utterance, name in expected]
    assert read("a.json", records) == expected
    assert read("a.jsonl", "\n".join(map(json.dumps, records))) == expected
    assert read("a.csv", "\n".join([f"{text},{label}", *(",".join(pair) for pair in expected)])) == expected
    assert read("a.tsv", "\n".join([f"{text}\t{label}", *("\t".join(pair) for pair in expected)])) == expected


def test_intents_of_a_chatbot_file(read, tmp_path):
    intents = {"intents": [{"tag": "greet", "patterns": ["Hi", "Привет"], "responses": ["Hello"]}]}
    assert read("a.json", intents) == [("Hi", "greet"), ("Привет", "greet")]
    assert [u.id for u in load(tmp_path / "a.json").utterances] == ["a.json/1.1", "a.json/1.2"]


def test_columns_named_by_the_user(read):
    table = "Kunde,Frage,Antwort\n1,Wo?,Hier\n"
    with pytest.raises(DataError, match="none of the columns Kunde, Frage, Antwort is recognised; name them"):
        read("a.csv", table)
    assert read("a.csv", table, question_column="Frage", answer_column="antwort") == [qa("Wo?", "Hier")]
    assert read("a.csv", table, text_column="Frage", label_column="Antwort") == [("Wo?", "Hier")]
    assert read("a.csv", "1,Wo?,Hier\n", question_column="2", answer_column="3") == [qa("Wo?", "Hier")]
    assert read("a.jsonl", '{"f": "Wo?", "answer": "Hier"}', question_column="f") == [qa("Wo?", "Hier")]
    with pytest.raises(DataError, match=r"no column 'Fragen'; there are: Kunde, Frage, Antwort"):
        read("a.csv", table, question_column="Fragen", answer_column="Antwort")
    with pytest.raises(DataError, match="not both"):
        read("a.csv", table, question_column="Frage", label_column="Antwort")


def test_ambiguous_column_names(read):
    assert read("a.csv", "text,label,label_text\nHi,0,greet\n") == [("Hi", "greet")]
    assert read("a.csv", "question,category,operator\nHi,greet,Bob\n") == [("Hi", "greet")]
    assert read("a.csv", "user,text,response\nu17,Hi,Hello\n") == [qa("Hi", "Hello")]
    assert read("a.csv", "time,author,message\n1,client,Hi\n2,Ivan,Hello\n") == [qa("Hi", "Hello")]
    assert read("a.csv", 'id,dialogue,summary\n1,"user: Hi\nbot: Hello",x\n') == [qa("Hi", "Hello")]


def test_two_columns_without_a_header(read):
    assert read("a.csv", "Wo ist, bitte, was?;Hier\nUnd das?;Dort\n") == [
        qa("Wo ist, bitte, was?", "Hier"),
        qa("Und das?", "Dort"),
    ]
    assert read("a.txt", "hi, you\thello\nbye\tciao\n") == [qa("hi, you", "hello"), qa("bye", "ciao")]


def test_quirks_of_tables(read):
    table = '\ufeffsep=;\r\nquestion;answer\r\n"a;\r\nb";"say ""c"""\r\n;;\r\n"open;d\r\n\r\ne;f;\r\n"g" h;i\r\n'
    assert read("a.csv", table) == [qa("a;\nb", 'say "c"'), qa('"open', "d"), qa("e", "f"), qa('"g" h', "i")]


def test_rejected_records_have_the_line_of_the_file(read):
    table = 'question,answer\n"a\nb",c\nd\ne,f,g\n"open\nh,i\n,j\n' + "k,l\n" * 20
    rejected = [e for e in read("a.csv", table, max_bad_share=0.5) if isinstance(e, Rejected)]
    assert [(r.line, r.reason) for r in rejected] == [
        (4, "expected 2 cells, found 1"),
        (5, "expected 2 cells, found 3"),
        (6, "not valid CSV (unexpected end of data)"),
        (8, "the question is empty"),
    ]
    document = '[\n{"q": "a",\n"a": "b"},\n{"q": "c"},\n5]'
    rejected = [e for e in read("a.json", document, max_bad_share=0.9) if isinstance(e, Rejected)]
    assert [(r.line, r.record) for r in rejected] == [(4, 2), (5, 3)]
    assert [str(r) for r in rejected] == ["a.json: line 4: no known keys among q", "a.json: line 5: expected an object, found a number"]  # fmt: skip


def test_good_and_bad_json_lines(read):
    good = '{"q": "где", "a": "тут"}'.encode()
    bad = [b'{"q": "a", "a"', b'{"q": "a", "a": "\xff"}', b'{"q": "\\ud83d", "a": "b"}', b'{"q": {}, "a": "b"}', b"[]",
           b'{"q": "a", "a": " "}', b'"q"', b'{"messages": [{"role": "x"}]}', b'{"messages": "Hi"}']  # fmt: skip
    lines = [*bad, *[good] * 91]
    events = read("a.jsonl", b"\n".join(lines))
    rejected = [e for e in events if isinstance(e, Rejected)]
    assert [r.line for r in rejected] == list(range(1, 10))
    assert events.count(qa("где", "тут")) == 91
    assert all(r.reason and len(r.text) <= 200 for r in rejected)
    assert rejected[0].text == '{"q": "a", "a"'


def test_stray_marks_and_sizes(read):
    assert read("a.jsonl", '\ufeff{"q": "a", "a": "b"}\n\ufeff{"q": "c", "a": 42}') == [qa("a", "b"), qa("c", "42")]
    long = "слово " * 60_000
    assert read("a.json", [{"q": long, "a": "b"}] * 8) == [qa(long.strip(), "b")] * 8


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1251", "koi8-r", "cp866", "iso8859-5"])  # fmt: skip
@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.txt", "В: Привет\nО: Пока\n", [qa("Привет", "Пока")]),
        ("a.csv", "вопрос;ответ\nГде чай?;На полке\n", [qa("Где чай?", "На полке")]),
        ("a.jsonl", '{"text": "Где чай?", "label": "чай"}\n{"text": "ok", "label": "да"}\n', [("Где чай?", "чай"), ("ok", "да")]),
        ("a.json", '[{"вопрос": "ГДЕ ЧАЙ", "ответ": "НА ПОЛКЕ"}]', [qa("ГДЕ ЧАЙ", "НА ПОЛКЕ")]),
    ],
)  # fmt: skip
def test_cyrillic_encodings_of_short_files(read, encoding, name, text, expected):
    assert read(name, text.encode(encoding)) == expected
    assert read(name, text.encode(encoding), encoding=encoding) == expected


@pytest.mark.parametrize(
    ("encoding", "texts"),
    [
        ("latin-1", ("Où est le café ?", "À côté de la gare")),
        ("cp1252", ("Größe für „Käse“?", "Übermorgen – 5 €")),
        ("latin-1", ("¿Dónde está el baño?", "Ahí mismo, señor")),
        ("cp1250", ("Gdzie jest najbliższy urząd?", "Proszę bardzo, tędy")),
        ("gb18030", ("你好，请问今天天气怎么样？", "今天天气很好，适合出门散步。")),
        ("cp932", ("こんにちは、今日の天気はどうですか", "とてもいい天気です")),
        ("cp1253", ("Γεια σας, τι ώρα είναι;", "Είναι πέντε η ώρα")),
    ],
)
def test_other_encodings(read, encoding, texts):
    lines = "".join(json.dumps({"q": texts[0], "a": texts[1]}, ensure_ascii=False) + "\n" for _ in range(20))
    assert read("a.jsonl", lines.encode(encoding)) == [qa(*texts)] * 20


def test_one_damaged_record_does_not_change_the_encoding(read):
    lines = ["вопрос,ответ", *["Где чай?,На полке"] * 20]
    raw = "\n".join(lines).encode() + b"\nGde \xd0?,\xd0\xa2\xd1\x83\xd1\x82\n"
    events = read("a.csv", raw)
    assert events[:20] == [qa("Где чай?", "На полке")] * 20
    assert (events[20].line, events[20].reason) == (22, "the question holds bytes that are not text in this encoding")


def test_non_ascii_text_far_into_a_file(read):
    lines = [b"question,answer", *[b"where is it,here it is"] * 30_000, "Где чай,На полке".encode("cp1251")]
    assert read("a.csv", b"\n".join(lines))[-1] == qa("Где чай", "На полке")


def test_gzip_zip_and_folders(tmp_path):
    folder = tmp_path / "my data"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.csv.gz").write_bytes(gzip.compress(b"q,a\n1,2\n"))
    (folder / "deep" / "a.txt").write_text("Q: 3\nA: 4\n")
    with zipfile.ZipFile(folder / "c.zip", "w") as archive:
        archive.writestr("x/d.json", json.dumps([{"text": "5", "label": "6"}]))
        archive.writestr("e.jsonl.gz", gzip.compress(b'{"q": "7", "a": "8"}'))
        archive.writestr("__MACOSX/e.jsonl", b"\0")
    (folder / "README.txt").write_text("What\nthis\nis\n")
    (folder / "empty.csv").write_text("")
    (folder / "chart.png").write_bytes(b"\x89PNG\0\0")
    data = load(folder)
    assert [(row.id) for row in data if not isinstance(row, Rejected)] == [
        "b.csv.gz/1",
        "c.zip/e.jsonl.gz/1",
        "c.zip/x/d.json/1",
        "deep/a.txt/1",
    ]
    assert [(r.file, r.line) for r in data.skipped] == [("README.txt", None), ("chart.png", None), ("empty.csv", None)]
    assert data.rejected == data.skipped
    assert data.name == "my-data"
    assert {name: tally.records for name, tally in data.counts.items()} == dict.fromkeys(data.counts, 1)
    assert (data.total.dialogues, data.total.utterances) == (3, 1)
    assert [u.text for u in data.utterances] == ["5"]


def test_splits_by_file_name(tmp_path):
    for name in ("train.csv", "more.csv", "valid.csv"):
        (tmp_path / name).write_text("q,a\n1,2\n")
    assert {d.id: d.split for d in load(tmp_path).dialogues} == {
        "more.csv/1": "train",
        "train.csv/1": "train",
        "valid.csv/1": "validation",
    }
    (tmp_path / "valid.csv").unlink()
    assert {d.split for d in load(tmp_path).dialogues} == {"all"}


def test_splits_by_words_of_names_folders_and_a_column(tmp_path):
    for name in ("test/data.csv", "hwu64_train.csv", "train_dialogues_001_ru.csv", "x/dev.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("q,a\n1,2\n")
    assert {d.id: d.split for d in load(tmp_path).dialogues} == {
        "test/data.csv/1": "test",
        "hwu64_train.csv/1": "train",
        "train_dialogues_001_ru.csv/1": "train",
        "x/dev.csv/1": "dev",
    }
    column = tmp_path / "column.csv"
    column.write_text("q,a,split\n1,2,train\n3,4,TEST\n5,6,\n")
    assert [d.split for d in load(column).dialogues] == ["train", "test", "all"]
    column.write_text("q,a,fold\n1,2,one\n")
    (row,) = load(column).dialogues
    assert (row.split, json.loads(row.metadata)) == ("all", {"fold": "one"})
    with pytest.raises(DataError, match=r"the split is 'one'; expected one of train"):
        list(load(column, split_column="fold"))
    both = tmp_path / "train_test.csv"
    both.write_text("q,a\n1,2\n")
    with pytest.raises(DataError, match="named after two splits, test and train"):
        load(both)


def test_ids_of_records_are_kept_and_made_unique(tmp_path):
    records = [{"id": i, "q": "a", "a": "b"} for i in ("x", "x", None, 7, 7.0, 1.5, "3", "x~2", " y\n")]
    (tmp_path / "a.json").write_text(json.dumps(records))
    dialogues = list(load(tmp_path / "a.json").dialogues)
    assert [d.id.removeprefix("a.json/") for d in dialogues] == [
        "x",
        "x~2",
        "3",
        "7",
        "7~2",
        "1.5",
        "3~2",
        "x~2~2",
        "y",
    ]
    assert [d.original_id for d in dialogues] == ["x", "x", None, "7", "7", "1.5", "3", "x~2", "y"]
    (tmp_path / "a.json").write_text(json.dumps([{"id": i, "q": "a", "a": "b"} for i in (0, 1)]))
    assert [d.id for d in load(tmp_path / "a.json").dialogues] == ["a.json/0", "a.json/1"]
    records = [{"q": "a", "a": "b"}, {"q": "a", "a": "b"}, {"id": 1, "q": "a", "a": "b"}]
    (tmp_path / "a.json").write_text(json.dumps(records))
    assert [d.id for d in load(tmp_path / "a.json").dialogues] == ["a.json/1", "a.json/2", "a.json/1~2"]


def test_empty_turns_are_kept_for_the_count(read):
    turns = [{"role": "user", "text": " "}, {"role": "bot", "text": "Hello"}]
    assert read("a.json", [turns, turns]) == [[("user", ""), ("system", "Hello")]] * 2


def test_too_many_bad_records_fail_with_three_reasons(tmp_path):
    path, rejects = tmp_path / "a.jsonl", tmp_path / "out" / "rejects.jsonl"
    path.write_text('{"q": "a", "a": "b"}\n' * 8 + "{\n" * 2)
    with pytest.raises(DataError, match=r"2 of 10 records cannot be used \(more than 10%\): a.jsonl: line 9: .*max-bad-share") as caught:  # fmt: skip
        list(load(path, rejects=rejects))
    assert "\n" not in str(caught.value)
    assert len(rejects.read_text().splitlines()) == 2
    assert len(list(load(path, max_bad_share=0.2).dialogues)) == 8
    path.write_text('{"q" 1}\n' * 5)
    with pytest.raises(DataError, match=r"no record can be used: line 1: .*; line 2: .*; line 3: "):
        list(load(path, max_bad_share=1))
    path.write_text('{"q": "", "a": "b"}\n' * 5)
    with pytest.raises(DataError, match=r"5 of 5 records cannot be used: .*nothing is left"):
        list(load(path, max_bad_share=1))
    path.write_text('{"q": "", "a": "b"}\n' * 500)
    with pytest.raises(DataError, match="its first 100 records cannot be used"):
        list(load(path))


def test_the_rejects_file_holds_file_line_and_reason(tmp_path):
    path, rejects = tmp_path / "a.jsonl", tmp_path / "rejects.jsonl"
    path.write_text('{"q": "a", "a": "b"}\n' * 20 + '{"q": "как", "a": null}\n')
    data = load(path, rejects=rejects)
    next(iter(data))
    assert not rejects.exists()  # only after a complete iteration
    assert sum(1 for _ in data) == 21
    (entry,) = map(json.loads, rejects.read_text().splitlines())
    assert entry == {"file": "a.jsonl", "line": 21, "record": 21, "reason": "the answer is empty", "text": '{"q":"как","a":null}'}  # fmt: skip
    assert [r.line for r in data.rejected] == [21]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"", "is empty; supported are"),
        ("a.txt", b" \n\n", "is empty"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0", "is a PNG image"),
        ("a.csv", b"%PDF-1.7\n", "is a PDF"),
        ("a.bin", bytes(range(256)), "is not text"),
        ("a.json", b"hello", "no JSON in it"),
        ("a.json", b"[]", "it holds no records"),
        ("a.json", b'[{"q": "a", "a": "b"}, {"q": ', "line 1: not valid JSON"),
        ("a.json", b'[{"q": "a", "a": "b"},\n{"q" "c"}\n]', "line 2: not valid JSON"),
        ("a.csv", b"question\nWhat is it\n", "a table with one column"),
        ("a.html", b"<!DOCTYPE html><p>Hi</p>", "HTML or XML"),
        ("a.txt", b"One day.\n\nA king came.\n\nHe left.", "neither a table nor one turn per line"),
        ("a.csv.gz", gzip.compress(b"q,a\n" + b"1,2\n" * 9999, mtime=0)[:60], "damaged"),
        ("a.zip", b"PK\x03\x04 cut off", "a damaged zip archive"),
    ],
)
def test_unreadable_files_are_named_with_the_reason(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=expected) as caught:
        list(load(tmp_path / name))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_spreadsheets_and_useless_folders(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        load(tmp_path / "absent")
    with pytest.raises(DataError, match="no data file in it; supported are"):
        load(tmp_path)
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
    with pytest.raises(DataError, match=r"a\.xlsx: an office document; save it as CSV"):
        load(tmp_path / "a.xlsx")
    (tmp_path / "a.xlsx").unlink()
    (tmp_path / "notes.docx.bak").write_bytes(b"x")
    with pytest.raises(DataError, match=r"no data file in it; it holds notes\.docx\.bak"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"language": "русский"}, "expected a tag such as en"),
        ({"language": "Russian"}, "did you mean ru"),
        ({"format": "telgram"}, "no format 'telgram'; expected one of"),
        ({"keep": ["jokes"]}, "keep: expected some of media"),
        ({"question_column": "q", "speaker_column": "who"}, "not both"),
        ({"name": "a/b"}, "cannot name a source"),
        ({"encoding": "utf-99"}, "unknown encoding 'utf-99'"),
        ({"encoding": "rot13"}, "unknown encoding 'rot13'"),
        ({"encoding": "raw_unicode_escape"}, "unknown encoding 'raw_unicode_escape'"),
        ({"max_bad_share": 5}, "a share from 0 to 1"),
    ],
)
def test_wrong_options(tmp_path, options, expected):
    (tmp_path / "a.csv").write_text("q,a\n1,2\n")
    with pytest.raises(DataError, match=expected):
        load(tmp_path / "a.csv", **options)


def test_an_integer_that_python_does_not_convert_stays_text(tmp_path):
    digits = "1" * 5000
    (tmp_path / "a.json").write_text(f'[{{"question": {digits}, "answer": "a number"}}]')
    (tmp_path / "b.jsonl").write_text(f'{{"question": {digits}, "answer": "a number"}}\n')
    assert [dialogue.turns[0].text for dialogue in load(tmp_path).dialogues] == [digits] * 2
