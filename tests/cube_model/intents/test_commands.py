"""The commands on intents, with a tiny teacher."""

import csv
import json

import pytest
from typer.testing import CliRunner

import dialogue_cube
from cube_model import EmbeddingCache, ModelError, Teacher
from cube_model.data.own_utterances import texts_of_files
from cube_model.intents.config import SuggestIntentsConfig, TrainIntentsConfig
from cube_model.intents.head import IntentHead
from cube_model.intents.training import predict_texts, train_intents
from cube_model.intents.utterances import read_labelled, read_unlabelled
from support.intent_fixtures import INTENTS, invented_rows, row, write_intents

OWN = "text,intent\n" + "".join(
    f"{pattern.format(place)},{scenario}/{intent}\n"
    for intent, (scenario, patterns) in INTENTS.items()
    for pattern in patterns
    for place in ("hall", "attic", "porch")
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return EmbeddingCache(tmp_path_factory.mktemp("intent-vectors"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    rows = {split: invented_rows(split) for split in ("train", "test")}
    return write_intents(tmp_path_factory.mktemp("intents") / "data", rows)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Own utterances, one of them alone with its label, one without a label, two out of scope."""
    file = tmp_path_factory.mktemp("own") / "own.csv"
    odd = "sing a song,odd\nno label,\nwho won the regatta,out_of_scope\nhow deep is the lake,out_of_scope\n"
    file.write_text(OWN + odd, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def trained(own, tiny_teacher, cache, tmp_path_factory):
    head, rows = train_intents(TrainIntentsConfig(own=[str(own)], encoder=str(tiny_teacher)), cache=cache)
    folder = tmp_path_factory.mktemp("trained") / "head"
    head.save(folder)
    return folder, rows


def command(monkeypatch, tmp_path, *words):
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")
    return CliRunner().invoke(dialogue_cube.app, list(map(str, words)))


def test_own_utterances_are_learnt(trained, tiny_teacher):
    folder, rows = trained
    head = IntentHead.load(folder)
    assert head.labels == ["home/lamp_off", "home/lamp_on", "kitchen/soup_order", "kitchen/tea_order"]
    assert len(rows.texts) == 36
    assert rows.outside == ["who won the regatta", "how deep is the lake"]
    assert rows.left_out["label odd: a single example"] == 1
    assert sum(rows.left_out.values()) == 2  # and the row without a label
    assert head.data["rows"] == 36
    assert head.data["licenses"] == ["private"]
    assert head.data["own"] == ["own.csv"]
    assert str(folder.parent) not in (folder / "intents.json").read_text(encoding="utf-8")
    teacher = Teacher.load(str(tiny_teacher))
    assert head.encoder["fingerprint"] == teacher.fingerprint
    assert predict_texts(head, teacher, rows.texts[:3])[0].label == "home/lamp_on"
    with pytest.raises(ModelError, match="utterance 2 is empty; expected a text"):
        predict_texts(head, teacher, ["tea", " "])
    with pytest.raises(ModelError, match="utterance 1 contains half of a character"):
        predict_texts(head, teacher, ["\ud83d"])


def test_rows_of_a_dataset_are_learnt(data, tiny_teacher, cache):
    head, rows = train_intents(TrainIntentsConfig(str(data), encoder=str(tiny_teacher)), cache=cache)
    assert head.labels == sorted(INTENTS)  # without the name of the only source
    assert len(rows.texts) == 96
    assert len(rows.outside) == 12
    assert head.data["dataset"] == {"folder": "data"}
    assert head.data["licenses"] == ["CC0-1.0"]
    assert head.validation.figures["accuracy"] > 0.5


def test_rows_with_several_labels(tmp_path):
    rows = [row(f"tea and soup {n}", "s/tea", labels=["s/tea", "s/soup"]) for n in range(3)]
    rows += [row(f"tea {n}", "s/tea", labels=["s/tea"]) for n in range(3)]
    rows += [row(f"leak {n}", "s/tea", labels=["s/tea"], flags=["leak:text"]) for n in range(3)]
    read = read_labelled(TrainIntentsConfig(str(write_intents(tmp_path / "several", {"train": rows}))))
    assert read.is_multi
    assert read.labels == [["tea", "soup"]] * 3 + [["tea"]] * 3


def test_commands_from_suggestions_to_predictions(own, data, tiny_teacher, tmp_path, monkeypatch):
    plain = tmp_path / "chat.txt"
    texts = [line.partition(",")[0] for line in OWN.splitlines()[1:]]
    plain.write_text("\n".join([*texts, "", texts[0]]), encoding="utf-8")
    options = ["--encoder", tiny_teacher, "--clusters", 4, "--min-size", 2, "--out", tmp_path / "s.csv"]
    result = command(monkeypatch, tmp_path, "suggest-intents", "--own", plain, *options)
    assert result.exit_code == 0, result.output
    assert "1 left out: equal to another one, or empty" in result.output
    suggested = (tmp_path / "s.csv").read_bytes()
    again = command(monkeypatch, tmp_path, "suggest-intents", "--own", plain, *options)
    assert "s.csv: exists; pass --overwrite to replace it" in str(
        again.exception
    )  # somebody may have changed the names
    assert (tmp_path / "s.csv").read_bytes() == suggested
    with (tmp_path / "s.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(each["text"] for each in rows) == sorted(texts)
    result = command(
        *(monkeypatch, tmp_path, "train-intents", "--own", tmp_path / "s.csv", "--encoder", tiny_teacher),
        *("--out", tmp_path / "head"),
    )
    assert result.exit_code == 0, result.output
    assert "5-fold cross-validation" in result.output
    assert "accuracy" in result.output
    result = command(monkeypatch, tmp_path, "predict-intents", "--intents", tmp_path / "head", texts[0])
    assert "pass --encoder tiny" in str(result.exception)  # another folder could be anything
    options = ["--intents", tmp_path / "head", "--encoder", tiny_teacher]
    result = command(monkeypatch, tmp_path, "predict-intents", *options, texts[0], "no [bold]such\x1b[31m lamp")
    assert result.exit_code == 0, result.output
    assert "[bold]such\\x1b[31m" in result.output
    result = command(
        monkeypatch, tmp_path, "predict-intents", *options, "--texts", plain, "--output", tmp_path / "p.jsonl"
    )
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["text"] for line in lines] == [*texts, texts[0]]
    assert {"label", "probability", "is_out_of_scope", "alternatives"} <= lines[0].keys()
    result = command(monkeypatch, tmp_path, "train-intents", "--own", own, "--out", tmp_path / "head")
    assert "exists; pass --overwrite" in str(result.exception)
    result = command(monkeypatch, tmp_path, "predict-intents", *options)
    assert "pass them as arguments, or a file" in str(result.exception)


def test_unlabelled_texts_of_every_kind(tmp_path):
    kinds = {
        "lines.txt": "where is my order\nI want tea\n",
        "chat.txt": "User: where is my order\nBot: on its way\nUser: I want tea\nBot: yes\n",
        "column.csv": "id;text\n1;where is my order\n2;I want tea\n",
        "keys.jsonl": '{"text": "where is my order"}\n{"text": "I want tea"}\n',
        "labelled.csv": "text,intent\nwhere is my order,order\nI want tea,tea\n",
    }
    for name, content in kinds.items():
        file = tmp_path / name
        file.write_text(content, encoding="utf-8")
        assert read_unlabelled(SuggestIntentsConfig(own=[str(file)])).texts == ["where is my order", "I want tea"], name


def test_another_encoder_is_refused(trained, minilm):
    with pytest.raises(ModelError, match=r"encoder minilm .* is not the one the head was trained with: tiny"):
        predict_texts(IntentHead.load(trained[0]), minilm, ["tea"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,intent\nhello,a\nhi,a\nhey,a\n", "1 of 1 labels have at least 2 different examples; expected two"),
        ("text,intent\nhello,a\nhi,b\n", "0 of 2 labels have at least 2 different examples"),
        ("text,intent\nHello,a\nhello,a\nhi,b\nhey,b\n", "1 of 2 labels have at least 2 different examples"),
        ("text,intent\n,a\n,b\n", "the utterance is empty"),
    ],
)
def test_files_that_no_head_can_learn_from(tmp_path, tiny_teacher, cache, content, message):
    (tmp_path / "own.csv").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=message) as caught:
        train_intents(TrainIntentsConfig(own=[str(tmp_path / "own.csv")], encoder=str(tiny_teacher)), cache=cache)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda data: TrainIntentsConfig(), "no utterances: pass a dataset .--data., your own files"),
        (lambda data: SuggestIntentsConfig(), "no utterances"),
        (lambda data: SuggestIntentsConfig(data, threshold=0.5, clusters=3), "give one of them"),
        (lambda data: read_labelled(TrainIntentsConfig(data, sources=["milk"])), "no intents from milk; choose from"),
        (
            lambda data: read_labelled(TrainIntentsConfig(data, languages=["ru"])),
            "no intents in ru; the dataset has en",
        ),
        (lambda data: read_labelled(TrainIntentsConfig(own=[f"{data}/no.csv"])), "no.csv"),
        (lambda data: read_unlabelled(SuggestIntentsConfig(own=[f"{data}/no.txt"])), "no.txt"),
    ],
)
def test_wrong_options_give_one_line(data, make, message):
    with pytest.raises(ModelError, match=message) as caught:
        make(str(data))
    assert "\n" not in str(caught.value)


def test_damaged_lines_of_bare_texts_are_counted(tmp_path):
    """None of them is lost without a word."""
    lines = [
        json.dumps({"text": text}) + "\n" for text in ("is it open", "half of a character: \ud83d", "how do I pay")
    ]
    (tmp_path / "a.jsonl").write_text("".join(lines))
    rows = texts_of_files([tmp_path / "a.jsonl"])
    assert rows.texts == ["is it open", "how do I pay"]
    assert sum(rows.dropped.values()) == 1


@pytest.mark.parametrize("content", [b"text,number\n" + b"x" * 200_000 + b",1\n", b"\n", b"a,b\nx,1,2,3\n"])
def test_tables_that_cannot_be_read_are_refused_in_one_line(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ModelError, match=r"a\.csv") as caught:
        texts_of_files([tmp_path / "a.csv"])
    assert "\n" not in str(caught.value)
