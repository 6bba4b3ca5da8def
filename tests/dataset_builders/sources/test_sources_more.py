"""Quirks of SMD, Taskmaster, MASSIVE, MInDS-14, SNIPS and ABCD, on invented files in the original format."""

import gzip
import io
import json
import tarfile


def own_words(annotation):
    """An annotation without the columns of common words."""
    return {name: value for name, value in annotation.items() if not name.startswith("common_")}


def smd(*turns, **scenario):
    dialogue = [{"turn": who, "data": {"end_dialogue": False, "utterance": text, **more}} for who, text, more in turns]
    return {"dialogue": dialogue, "scenario": {"kb": {"items": None}, "task": {"intent": "weather"}, **scenario}}


def test_smd_keeps_consecutive_turns_of_one_speaker(parse):
    asked = {"requested": {"date": True, "time": False}, "slots": {"place": "here "}}
    record = smd(("driver", "rain?", {}), ("driver", "rain?", {}), ("assistant", "Where? ", asked), ("driver", " ", {}))
    (row,) = parse("smd", {"kvret_dev_public.json": [record]})["validation"]
    assert [(t["speaker"], t["text"]) for t in row["turns"]] == [
        ("user", "rain?"),
        ("user", "rain?"),
        ("system", "Where?"),
    ]
    assert (row["empty_turns"], row["domains"], row["license"], row["redistributable"]) == (
        1,
        ["weather"],
        "unknown",
        False,
    )
    notes = row["turns"][2]["annotations"]
    assert [a["slot"] for a in notes["acts"]] == ["date"]
    assert [(s["slot"], s["values"]) for s in notes["state"]] == [("place", ["here"])]


def taskmaster(name, *turns, **more):
    return {"conversation_id": name, "utterances": [{"index": i, **t} for i, t in enumerate(turns)], **more}


def test_taskmaster_all_four(parse):
    segment = {"start_index": 2, "end_index": 5, "text": "tea", "annotations": [{"name": "drink.type"}]}
    first = {"speaker": "USER", "text": "A tea", "segments": [segment]}
    reply = {"speaker": "ASSISTANT", "text": "Sure"}
    call = {"name": "find", "index": 0, "args": {"name.genre": "play"}, "response": {}}
    coffee = {
        "speaker": "user",
        "text": "tea",
        "segments": [],
        "annotations": [{"name": "api_call", "value": "menu", "context": "c0"}],
    }
    rows = parse(
        "taskmaster",
        {
            "TM-1-2019/self-dialogs.json": [taskmaster(n, first, reply, instruction_id="tea-2") for n in "abc"],
            "TM-1-2019/woz-dialogs.json": [taskmaster("w", first, instruction_id="tea-table-1")],
            "TM-1-2019/train-dev-test/dev.csv": "b,\n",
            "TM-1-2019/train-dev-test/test.csv": "c,\n",
            "TM-2-2020/data/tea.json": [taskmaster("d", reply, reply, first, instruction_id="tea-3")],
            "TM-3-2020/data/data_00.json": [
                taskmaster(
                    "e",
                    {**first, "speaker": "user", "apis": [call]},
                    vertical="Movies",
                    instructions="Go",
                    scenario="s",
                )
            ],
            "TM-3-2020/splits/train/train-bc.tsv": "not dialogues",
            "TM-4-2024/data/data_00.json": [
                taskmaster("f", coffee, vertical="Coffee", instructions=None, scenario="s")
            ],
        },
    )
    split_of = {
        r["dialogue_id"].removeprefix("taskmaster/"): (s, r["original_split"])
        for s, dialogues in rows.items()
        for r in dialogues
    }
    assert split_of == {
        "tm1/a": ("train", "train"),
        "tm1/b": ("validation", "dev"),
        "tm1/c": ("test", "test"),
        "tm1/w": ("train", "all"),
        "tm2/d": ("train", "all"),
        "tm3/e": ("train", "all"),
        "tm4/f": ("train", "all"),
    }
    by_id = {r["original_id"]: r for r in rows["train"]}
    assert own_words(by_id["a"]["turns"][0]["annotations"]["slots"][0]) == {
        "domain": None,
        "slot": "drink.type",
        "value": "tea",
        "start": 2,
        "end": 5,
    }
    assert (by_id["a"]["domains"], by_id["w"]["domains"], by_id["f"]["domains"]) == (["tea"], ["tea-table"], ["Coffee"])
    assert [t["speaker"] for t in by_id["d"]["turns"]] == ["system", "system", "user"]
    assert by_id["e"]["scenario"] == "Go"
    assert own_words(by_id["e"]["turns"][0]["annotations"]["acts"][0]) == {
        "act": "api_call",
        "domain": "find",
        "slot": "name.genre",
        "values": ["play"],
    }
    assert by_id["f"]["turns"][0]["annotations"]["acts"][0]["values"] == ["menu"]


def massive(locale, number, partition, text):
    row = {"id": str(number), "locale": locale, "partition": partition, "scenario": "alarm", "intent": "alarm_set"}
    return json.dumps({**row, "utt": text, "annot_utt": text, "worker_id": "1"}, ensure_ascii=False) + "\n"


def test_massive_in_its_archive(parse, tmp_path):
    archive = tmp_path / "raw" / "amazon-massive-dataset-1.0.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        for locale, text in (("ru-RU", "разбуди меня"), ("en-US", "wake me")):
            content = (massive(locale, 0, "test", text) + massive(locale, 1, "train", text + " 2")).encode()
            member = tarfile.TarInfo(f"1.0/data/{locale}.jsonl")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    rows = parse("massive", {})
    assert [(r["utterance_id"], r["language"], r["utterance"]) for r in rows["test"]] == [
        ("massive/test/en-US/0", "en-US", "wake me"),
        ("massive/test/ru-RU/0", "ru-RU", "разбуди меня"),
    ]
    assert rows["train"][0]["label"] == "massive/alarm_set"
    assert rows["train"][0]["scenario"] == "alarm"


def test_minds14(parse):
    csv = 'filepath,text_asr,text_translated,intent\nru-RU~ABROAD/1.wav,"карта, за границей",card abroad,ABROAD\n'
    (row,) = parse("minds14", {"text/ru-RU.csv": csv.encode()})["train"]
    assert (row["language"], row["label"], row["original_split"]) == ("ru-RU", "minds14/abroad", "all")
    assert row["utterance"] == "карта, за границей"


def snips(intent, *sentences):
    return {intent: [{"data": [{"text": piece} for piece in pieces]} for pieces in sentences]}


def test_snips_pieces_and_the_file_that_is_not_utf8(parse):
    # as published: an emoji as two surrogates, each encoded separately
    broken = json.dumps(snips("PlayMusic", ["Play ", "Caf\u00e9 ", "EMOJI", " "]), ensure_ascii=False).encode()
    broken = broken.replace(b"EMOJI", b"\xed\xa0\xbd\xed\xb8\x80")
    many = [[f"text {i}"] for i in range(300)]
    files = {
        "PlayMusic/train_PlayMusic_full.json": broken,
        "PlayMusic/validate_PlayMusic.json": snips("PlayMusic", ["Stop"]),
        "GetWeather/train_GetWeather_full.json": snips("GetWeather", *many),
        "GetWeather/train_GetWeather.json": snips("GetWeather", ["a part of it"]),
        "GetWeather/validate_GetWeather.json": snips("GetWeather", ["Sun?"]),
    }
    rows = parse("snips", files)
    assert [r["utterance"] for r in rows["train"] if r["label"] == "snips/PlayMusic"] == ["Play Café 😀"]
    assert {r["original_split"] for r in rows["test"]} == {"validate"}
    usual = parse("snips", {}, config="usual")
    held_out = [r["utterance"] for r in usual["validation"] if r["label"] == "snips/GetWeather"]
    train = [r["utterance"] for r in usual["train"] if r["label"] == "snips/GetWeather"]
    assert (len(held_out), len(train)) == (100, 200)
    assert sorted(held_out + train) == sorted(f"text {i}" for i in range(300))
    assert len(parse("snips", {}, config="small")["train"]) == 1


def test_abcd_from_its_compressed_file(parse):
    turns = [["agent", "Hi!"], ["customer", "My jeans"], ["action", "Account pulled up."], ["agent", "Sorted."]]
    labels = [["size", "retrieve_utterance", None, [], 1], ["size", None, None, [], -1]]
    labels += [["size", "take_action", "pull-up-account", ["jo doe"], -1], ["size", "retrieve_utterance", None, [], 2]]
    record = {
        "convo_id": 7,
        "scenario": {"flow": "returns", "subflow": "size"},
        "original": turns,
        "delexed": [{"speaker": s, "text": t, "targets": x} for (s, t), x in zip(turns, labels, strict=True)],
    }
    content = json.dumps({"train": [record], "dev": [record], "test": []}).encode()
    rows = parse("abcd", {"data/abcd_v1.1.json.gz": gzip.compress(content)})
    (row,) = rows["train"]
    assert sorted(rows) == ["train", "validation"]
    assert [(t["speaker"], t["text"]) for t in row["turns"]] == [
        ("system", "Hi!"),
        ("user", "My jeans"),
        ("system", "Sorted."),
    ]
    acts = row["turns"][1]["annotations"]["acts"]
    assert [own_words(act) for act in acts] == [
        {"act": "pull-up-account", "domain": None, "slot": None, "values": ["jo doe"]}
    ]
    assert row["domains"] == ["returns", "size"]
