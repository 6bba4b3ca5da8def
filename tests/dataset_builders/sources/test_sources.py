"""Parsers and the quirks of their sources, on invented raw files in the original format."""

import json
import zipfile

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.sources.raw_files import RawFile
from dataset_builders.sources.readers import read_json_members
from dataset_builders.sources.registry import builders, get_builder
from dataset_builders.survey.parsed import parse as parse_rows


def texts(row):
    return [(turn["speaker"], turn["text"]) for turn in row["turns"]]


CAMREST = {
    "dialogue_id": 7,
    "finished": True,
    "goal": {"constraints": [], "request-slots": [], "text": "Find a quiet place."},
    "dial": [
        {
            "turn": 0,
            "usr": {
                "transcript": "Somewhere quiet in the east",
                "slu": [
                    {"act": "inform", "slots": [["area", "east"]]},
                    {"act": "request", "slots": [["slot", "phone"]]},
                ],
            },
            "sys": {"sent": "What food?\t", "DA": ["food", ["area", "east"]]},
        },
        {"turn": 1, "usr": {"transcript": "Soup", "slu": []}, "sys": {"sent": "The Ladle. ", "DA": []}},
    ],
}


def test_camrest_keeps_the_last_system_turn_and_reads_a_commented_file(parse):
    (row,) = parse("camrest676", {"CamRest676.json": "# a note\n#\n" + json.dumps([CAMREST])})["train"]
    assert row["dialogue_id"] == "camrest676/7"
    assert row["original_split"] == "all"
    assert row["scenario"] == "Find a quiet place."
    assert texts(row) == [
        ("user", "Somewhere quiet in the east"),
        ("system", "What food?"),
        ("user", "Soup"),
        ("system", "The Ladle."),
    ]
    user, system = (turn["annotations"] for turn in row["turns"][:2])
    assert [(s["domain"], s["intent"], s["slot"], s["values"]) for s in user["state"]] == [
        (None, None, "area", ["east"])
    ]
    assert [(a["act"], a["slot"], a["values"]) for a in user["acts"]] == [
        ("inform", "area", ["east"]),
        ("request", "phone", []),
    ]
    assert [(a["act"], a["slot"], a["values"]) for a in system["acts"]] == [
        ("request", "food", []),
        ("confirm", None, ["area", "east"]),
    ]


def woz_entry(user, system=""):
    return {
        "turn_idx": 0,
        "transcript": user,
        "system_transcript": system,
        "turn_label": [["essen", "suppe"], ["request", "adresse"]],
        "belief_state": [
            {"act": "inform", "slots": [["essen", "suppe"]]},
            {"act": "request", "slots": [["slot", "adresse"]]},
        ],
        "system_acts": ["gegend", ["essen", "suppe"]],
        "asr": [["suppe", 1.0]],
    }


def test_woz_system_text_comes_first_and_empty_user_turns_are_counted(parse):
    record = {
        "dialogue_idx": 3,
        "dialogue": [woz_entry(""), woz_entry("Suppe bitte", "Hallo! "), woz_entry("", "Noch etwas?")],
    }
    rows = parse("woz", {"woz_train_de.json": [record], "woz_test_en.json": [record]})
    (row,) = rows["train"]
    assert (row["dialogue_id"], row["original_id"], row["language"]) == ("woz/de/3", "3", "de")
    assert texts(row) == [("system", "Hallo!"), ("user", "Suppe bitte"), ("system", "Noch etwas?")]
    assert row["empty_turns"] == 3
    assert [a["act"] for a in row["turns"][0]["annotations"]["acts"]] == ["request", "confirm"]
    assert [s["slot"] for s in row["turns"][1]["annotations"]["state"]] == ["essen"]
    assert rows["test"][0]["language"] == "en"


def sgd_record(dialogue_id, text="  Book Blue Door at 7"):
    frame = {
        "service": "Restaurants_1",
        "actions": [{"act": "INFORM", "slot": "name", "values": ["Blue Door"], "canonical_values": ["Blue Door"]}],
        "slots": [{"slot": "name", "start": 7, "exclusive_end": 16}],
        "state": {"active_intent": "Reserve", "requested_slots": [], "slot_values": {"name": ["Blue Door"]}},
    }
    bare = {"service": "Restaurants_1", "actions": [], "slots": []}
    return {
        "dialogue_id": dialogue_id,
        "services": ["Restaurants_1"],
        "turns": [
            {"speaker": "USER", "utterance": text, "frames": [frame]},
            {"speaker": "SYSTEM", "utterance": "Done.", "frames": [bare]},
        ],
    }


def test_sgd_reads_archive_members_beside_plain_files_once(parse, tmp_path):
    archive = tmp_path / "raw" / "rest.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("train/dialogues_001.json", "not read, as the unpacked copy takes precedence")
        z.writestr("train/dialogues_002.json", json.dumps([sgd_record("1_00001")]))
        z.writestr("__MACOSX/train/dialogues_003.json", "not data")
    files = {
        "train/dialogues_001.json": [sgd_record("1_00000")],
        "test/dialogues_001.json": [sgd_record("1_00000")],
    }
    rows = parse("sgd", files)
    assert [row["dialogue_id"] for row in rows["train"]] == ["sgd/train/1_00000", "sgd/train/1_00001"]
    assert [row["dialogue_id"] for row in rows["test"]] == ["sgd/test/1_00000"]


def test_sgd_slot_positions_follow_the_trimmed_text(parse):
    rows = parse("sgd", {"dev/dialogues_001.json": [sgd_record("1_00000")]})
    turn = rows["validation"][0]["turns"][0]
    (slot,) = turn["annotations"]["slots"]
    assert turn["text"][slot["start"] : slot["end"]] == slot["value"] == "Blue Door"
    assert turn["annotations"]["state"][0]["intent"] == "Reserve"


MULTIWOZ_22 = {
    "dialogue_id": "PMUL0001.json",
    "services": ["hotel"],
    "turns": [
        {
            "turn_id": "0",
            "speaker": "USER",
            "utterance": "A cheap hotel, and its phone number",
            "frames": [
                {
                    "service": "hotel",
                    "actions": [],
                    "slots": [
                        {"slot": "hotel-pricerange", "value": "cheap", "start": 2, "exclusive_end": 7},
                        {"slot": "hotel-stars", "value": ["3", "4"], "copy_from": "hotel-stars"},
                    ],
                    "state": {
                        "active_intent": "find_hotel",
                        "requested_slots": ["hotel-phone"],
                        "slot_values": {"hotel-pricerange": ["cheap"]},
                    },
                },
                {
                    "service": "taxi",
                    "state": {"active_intent": "NONE", "requested_slots": [], "slot_values": {}},
                },
            ],
        },
        {"turn_id": "1", "speaker": "SYSTEM", "utterance": "Try the Lantern.", "frames": []},
    ],
}


def test_multiwoz_22_frames(parse):
    (row,) = parse("multiwoz", {"MultiWOZ_2.2/dev/dialogues_001.json": [MULTIWOZ_22]})["validation"]
    assert (row["dialogue_id"], row["original_id"], row["source_version"]) == (
        "multiwoz/PMUL0001",
        "PMUL0001.json",
        "2.2",
    )
    notes = row["turns"][0]["annotations"]
    assert [(s["slot"], s["value"], s["start"]) for s in notes["slots"]] == [
        ("hotel-pricerange", "cheap", 2),
        ("hotel-stars", "3, 4", None),
    ]
    assert [(s["slot"], s["values"]) for s in notes["state"]] == [("hotel-pricerange", ["cheap"])]
    assert [(a["act"], a["slot"]) for a in notes["acts"]] == [("request", "hotel-phone")]


def multiwoz_21():
    metadata = {
        "hotel": {
            "book": {"booked": [], "stay": "2"},
            "semi": {"area": "not mentioned", "pricerange": "cheap"},
        }
    }
    return {
        "goal": {"hotel": {"info": {"pricerange": "cheap"}}, "taxi": {}, "message": ["..."]},
        "log": [
            {
                "text": "A cheap hotel",
                "metadata": {},
                "dialog_act": {"Hotel-Inform": [["Price", "cheap"]]},
                "span_info": [["Hotel-Inform", "Price", "cheap", 1, 1]],
            },
            {"text": "Try the Lantern.", "metadata": metadata, "dialog_act": "No Annotation"},
        ],
    }


def test_multiwoz_21_whole_release_in_its_archive(parse, tmp_path):
    archive = tmp_path / "raw" / "MultiWOZ_2.1.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("MultiWOZ_2.1/data.json", json.dumps({f"D{i}.json": multiwoz_21() for i in range(3)}))
        z.writestr("MultiWOZ_2.1/valListFile.txt", "D1.json\n")
        z.writestr("MultiWOZ_2.1/testListFile.txt", "D2.json\n")
    rows = parse("multiwoz", {}, config="2.1")
    assert {split: [r["original_id"] for r in records] for split, records in rows.items()} == {
        "train": ["D0.json"],
        "validation": ["D1.json"],
        "test": ["D2.json"],
    }
    user = rows["train"][0]["turns"][0]["annotations"]
    assert [(s["slot"], s["values"]) for s in user["state"]] == [("pricerange", ["cheap"]), ("stay", ["2"])]
    assert rows["train"][0]["domains"] == ["hotel"]


def test_banking77_reads_line_breaks_inside_texts(parse):
    csv = b'text,category\r\n"Why, oh why\nis it late?",card_arrival\r\nIt is late ,Refund_not_showing_up\r\n'
    rows = parse("banking77", {"train.csv": csv, "test.csv": csv})
    assert [(r["utterance"], r["label"]) for r in rows["train"]] == [
        ("Why, oh why\nis it late?", "banking77/card_arrival"),
        ("It is late", "banking77/Refund_not_showing_up"),
    ]
    assert rows["test"][1]["utterance_id"] == "banking77/test/1"


def test_clinc150_out_of_scope_and_domains(parse):
    data = {
        f"{prefix}{split}": [[f"{split} it", "oos" if prefix else "pay"]]
        for prefix in ("", "oos_")
        for split in ("train", "val", "test")
    }
    rows = parse("clinc150", {"data_full.json": data, "domains.json": {"banking": ["pay"]}})
    shown = [(r["original_split"], r["label"], r["scenario"], r["is_out_of_scope"]) for r in rows["validation"]]
    assert shown == [("val", "clinc150/pay", "banking", False), ("oos_val", "clinc150/oos", None, True)]


def test_changed_input_gives_new_rows(parse):
    first = parse("sgd", {"train/dialogues_001.json": [sgd_record("1_00000")]})
    second = parse("sgd", {"train/dialogues_001.json": [sgd_record("1_00000", "Another text entirely now")]})
    assert first["train"][0]["turns"][0]["text"] != second["train"][0]["turns"][0]["text"]
    third = parse(
        "clinc150",
        {"data_full.json": {s: [["a", "pay"]] for s in ("train", "val", "test", "oos_train", "oos_val", "oos_test")}},
    )
    fourth = parse("clinc150", {"domains.json": {"banking": ["pay"]}})  # a file without records of its own
    assert third["train"][0]["scenario"] is None
    assert fourth["train"][0]["scenario"] == "banking"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[{\n", "line 2: not valid JSON"),
        ('{"a": 1}', "expected a JSON list of records, found dict"),
        ('[{"dialogue_id": "1"}]', "record 1: no key 'turns'"),
        (json.dumps([sgd_record("1"), sgd_record("2", text=5)]), "record 2: not in the expected form"),
        (json.dumps([sgd_record(5)]), "a value has the wrong type"),
    ],
)
@pytest.mark.parametrize("num_proc", [None, 2])
def test_the_message_about_a_broken_raw_file_names_it(tmp_path, content, expected, num_proc):
    for number in (1, 2):
        path = tmp_path / "raw" / "train" / f"dialogues_00{number}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if number == 2 else json.dumps([sgd_record("0")]))
    builder = get_builder("sgd")(data_dir=tmp_path / "raw", cache_dir=tmp_path / "cache")
    with pytest.raises(DataError, match=expected) as caught:
        builder.download_and_prepare(num_proc=num_proc)
    assert "dialogues_002.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_message_about_a_broken_archive_names_it(tmp_path):
    (tmp_path / "rest.zip").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(DataError, match=r"rest\.zip: the archive is incomplete or damaged"):
        get_builder("sgd")(data_dir=tmp_path)


@pytest.mark.parametrize("name", builders())
def test_the_message_about_missing_raw_files_says_where_to_get_them(tmp_path, name):
    with pytest.raises(DataError, match="get it from https://"):
        get_builder(name)(data_dir=tmp_path / "absent")
    (tmp_path / "README.txt").write_text("nothing here")
    with pytest.raises(DataError, match=f"no raw file of {name} .* expected .*get it from https://"):
        get_builder(name)(data_dir=tmp_path)


@pytest.mark.parametrize("name", builders())
def test_facts_are_complete(name):
    info = builders()[name].INFO
    assert info.name == name
    assert info.license_evidence
    assert info.citation.startswith("@")
    assert set(info.counts) == set(info.configs)
    for config in info.configs:
        assert info.files_of(config) or config == "all"
    for file in info.files:
        assert file.url.startswith("https://")
        assert len(file.sha256 or "0" * 64) == 64
        assert len(file.git_blob or "0" * 40) == 40
    if info.redistributable:
        assert info.license != "unknown"


def test_raw_files_without_a_record_are_named(tmp_path):
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text("text,category\n")
    builder = get_builder("banking77")(data_dir=tmp_path, cache_dir=tmp_path / "cache")
    with pytest.raises(DataError, match=r"train\.csv and 1 more: no record of banking77"):
        parse_rows(builder)


def test_a_damaged_list_of_domains_is_named(tmp_path):
    (tmp_path / "data_small.json").write_text("{}")
    (tmp_path / "domains.json").write_text("[1, 2]")
    with pytest.raises(DataError, match=r"domains\.json: expected an object of domains"):
        get_builder("clinc150")(data_dir=tmp_path, config_name="small")


@pytest.mark.parametrize(
    "content", ['{"a": {"b": [1, "x"]}, "ü": 2.5}', "{}", ' {\n"a"\t:\r\n[] } ', '{"a": "\\ud83d\\ude00", "a": null}']
)
def test_the_members_of_an_object_one_by_one(content, tmp_path):
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    assert dict(read_json_members(RawFile("a.json", tmp_path / "a.json"))) == json.loads(content)


@pytest.mark.parametrize("content", ["[]", "", '{"a" 1}', '{"a": 1,}', '{"a": 1', '{"a": 1\n "b": 2}', "{1: 2}"])
def test_a_damaged_object_is_named_with_its_line(content, tmp_path):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=r"a\.json: line [12]: not valid JSON"):
        list(read_json_members(RawFile("a.json", tmp_path / "a.json")))
