"""Quirks of the further sources about tasks and tutoring, on invented files in the original format."""

import io
import json
import tarfile
import zipfile

import pytest

from dataset_builders.common.errors import DataError


def texts(row):
    return [(turn["speaker"], turn["text"]) for turn in row["turns"]]


def acts(turn):
    return [(a["act"], a["domain"], a["slot"], a["values"]) for a in turn["annotations"]["acts"]]


def common_acts(turn):
    return [(a["common_act"], a["common_domain"], a["common_slot"]) for a in turn["annotations"]["acts"]]


def archive(kind, members):
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as z:
            for name, content in members.items():
                z.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode=f"w:{kind}") as tar:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content.encode())
                tar.addfile(info, io.BytesIO(content.encode()))
    return buffer.getvalue()


def star(number, *events, level="Complete", domains=("hotel", None)):
    scenario = {"Domains": list(domains), "UserTask": "Book a cave.", "WizardTask": ""}
    events = [dict(zip(("Agent", "Action", "Text", "ActionLabel"), event, strict=False)) for event in events]
    return json.dumps({"DialogueID": number, "CompletionLevel": level, "Scenario": scenario, "Events": events})


def test_star_reads_what_the_other_side_saw_from_a_compressed_tar(parse):
    events = [
        ("UserGuide", "instruct", "Be rude."),
        ("User", "utter", "A cave, now!"),
        ("Wizard", "request_suggestions", "What can you pay"),
        ("Wizard", "pick_suggestion", "What price?", "hotel_ask_price"),
        ("User", "utter", " Ten shells\nat most "),
        ("Wizard", "utter", "Gladly"),
        ("User", "complete"),
    ]
    members = {
        "STAR-1/dialogues/7.json": star(7, *events),
        "STAR-1/dialogues/8.json": star(8, *events, level="EarlyDisconnectDuringDialogue"),
        "STAR-1/tasks/hotel.json": "{}",
    }
    (row,) = parse("star", {"STAR-1.tar.xz": archive("xz", members)})["train"]
    assert (row["dialogue_id"], row["scenario"]) == ("star/7", "Book a cave.")
    assert (row["domains"], row["common_domains"]) == (["hotel"], ["hotel"])
    assert texts(row) == [
        ("user", "A cave, now!"),
        ("system", "What price?"),
        ("user", "Ten shells\nat most"),
        ("system", "Gladly"),
    ]
    assert [acts(turn) for turn in row["turns"]] == [[], [("hotel_ask_price", None, None, [])], [], []]
    assert common_acts(row["turns"][1]) == [("request", None, None)]


def test_crosswoz_state_belongs_to_the_user_turn_before(parse):
    state = {"酒店": {"名称": "", "价格": "10", "selectedResults": ["甲"]}, "景点": {"名称": "", "selectedResults": []}}
    raw = {
        "goal": [[1, "酒店", "价格", "10", False], [1, "酒店", "名称", "", False]],
        "task description": ["找酒店。", "问名称。"],
        "messages": [
            {
                "role": "usr",
                "content": "你好，十元的酒店",
                "dialog_act": [["General", "greet", "none", "none"], ["Request", "酒店", "名称", ""]],
            },
            {
                "role": "sys",
                "content": "没有",
                "dialog_act": [["NoOffer", "酒店", "none", "none"], ["Inform", "酒店", "价格", "20"]],
                "sys_state_init": state,
            },
        ],
    }
    files = {"data/crosswoz/val.json.zip": archive("zip", {"val.json": json.dumps({"12": raw})})}
    (row,) = parse("crosswoz", files)["validation"]
    assert (row["original_split"], row["language"], row["scenario"]) == ("val", "zh", "找酒店。\n问名称。")
    assert (row["domains"], row["common_domains"]) == (["酒店"], ["hotel"])
    user, system = row["turns"]
    assert acts(user) == [("greet", "General", None, []), ("Request", "酒店", "名称", [])]
    assert acts(system) == [("NoOffer", "酒店", None, []), ("Inform", "酒店", "价格", ["20"])]
    assert common_acts(system) == [("no_offer", "hotel", None), ("inform", "hotel", "price")]
    assert [(s["domain"], s["slot"], s["values"]) for s in user["annotations"]["state"]] == [("酒店", "价格", ["10"])]
    assert not system["annotations"]["state"]


def test_russian_multiwoz_and_multiwoz_share_ids_by_their_place(parse):
    russian = "Нужен [дом].\nКакой?\n\n\nПривет\r\nДа [х\n"
    english = [
        {"dialogue_id": f"SNG{i}.json", "services": [], "turns": [{"speaker": "USER", "utterance": "Hm", "frames": []}]}
        for i in range(2)
    ]
    files = {
        "interim/v1/russian/dev_dialogues_002_ru.txt": russian,
        "interim/v1/russian/README.md": "Тексты",
        "MultiWOZ_2.2/dev/dialogues_002.json": english,
    }
    rows = parse("russian_multiwoz", files)["validation"]
    assert [texts(row) for row in rows] == [
        [("user", "Нужен дом."), ("system", "Какой?")],
        [("user", "Привет"), ("system", "Да х")],
    ]
    assert {(row["origin"], row["language"], row["original_split"]) for row in rows} == {("machine", "ru", "dev")}
    places = ["multiwoz/dev-002-000", "multiwoz/dev-002-001"]
    assert [row["parallel_id"] for row in rows] == places
    assert [row["parallel_id"] for row in parse("multiwoz", files)["validation"]] == places


def test_multiwoz_21_has_no_translation_and_marks_of_nothing_are_no_values(parse):
    acts_21 = {
        "Hotel-Request": [["Price", "?"]],
        "general-bye": [["none", "none"]],
        "Hotel-Inform": [["Internet", "none"]],
    }
    log = [{"text": "Hi", "metadata": {}, "dialog_act": acts_21}]
    (row,) = parse("multiwoz", {"MultiWOZ_2.1/val.json": {"A.json": {"goal": {}, "log": log}}}, config="2.1")[
        "validation"
    ]
    assert row["parallel_id"] is None
    assert acts(row["turns"][0]) == [
        ("Request", "Hotel", "Price", []),
        ("bye", "general", None, []),
        ("Inform", "Hotel", "Internet", ["none"]),
    ]
    assert common_acts(row["turns"][0])[:2] == [("request", "hotel", "price range"), ("goodbye", "general", None)]


def test_woz_shares_ids_unless_an_empty_text_moves_the_turns(parse):
    def record(index, *said):
        entries = [
            {"system_transcript": answer, "system_acts": [], "transcript": text, "turn_label": [], "belief_state": []}
            for answer, text in said
        ]
        return {"dialogue_idx": index, "dialogue": entries}

    first = record(0, ("", "tea"), ("What else?", "cake"))
    files = {
        "woz_test_en.json": [first, record(1, ("", "rice"))],
        "woz_test_de.json": [record(0, ("", "Tee"), ("What else?", " ")), record(1, ("", "Reis"))],
    }
    rows = parse("woz", files, config="all")["test"]
    assert {row["dialogue_id"]: row["parallel_id"] for row in rows} == {
        "woz/en/0": "woz/0",
        "woz/en/1": "woz/1",
        "woz/de/0": None,
        "woz/de/1": "woz/1",
    }


def test_smcalflow_turns_are_a_question_and_an_answer(parse):
    turn = {
        "user_utterance": {"original_text": "Lunch at one"},
        "agent_utterance": {"original_text": "Done"},
        "skip": True,
    }
    name = "datasets/SMCalFlow-2.0/valid.dataflow_dialogues.jsonl"
    (row,) = parse("smcalflow", {name: json.dumps({"dialogue_id": "ab-c", "turns": [turn]}) + "\n"})["validation"]
    assert (row["dialogue_id"], row["original_split"]) == ("smcalflow/ab-c", "valid")
    assert texts(row) == [("user", "Lunch at one"), ("system", "Done")]


def test_dstc10_keeps_the_longest_instance_and_its_answer(parse):
    log = [
        {"speaker": "U", "text": "uh a bed"},
        {"speaker": "S", "text": "where"},
        {"speaker": "U", "text": "by the c"},
    ]
    labels = [
        {"target": False},
        {"target": True, "knowledge": [{"domain": "hotel", "entity_id": 1, "doc_id": 2}], "response": "no pets there"},
        {"target": False},
    ]
    files = {"task2/data/val/logs.json": [log[:1], log, log[1:]], "task2/data/val/labels.json": labels}
    longest, other = parse("dstc10_track2", files)["validation"]
    assert texts(longest)[1:] == [("system", "where"), ("user", "by the c"), ("system", "no pets there")]
    assert (longest["dialogue_id"], longest["domains"]) == ("dstc10_track2/val/1", ["hotel"])
    assert texts(other) == [("system", "where"), ("user", "by the c")]


def test_dstc10_test_has_no_labels(parse):
    (row,) = parse("dstc10_track2", {"task2/data/test/logs.json": [[{"speaker": "U", "text": "hey"}]]})["test"]
    assert texts(row) == [("user", "hey")]


def test_tau_bench_leaves_out_tools_and_the_sign_of_the_end(parse):
    shown = "user: Where is it?\nassistant: None\ntool: {}\nassistant: Here:\n\n- a box\nuser: Thanks ###STOP###\nassistant: None"
    trial = {
        "info": {"task": {"instruction": "Fly home."}},
        "traj": [
            {"role": "system", "content": "Policy"},
            {"role": "user", "content": "Home, please"},
            {"role": "assistant", "content": None, "tool_calls": []},
            {"role": "tool", "content": "[]"},
            {"role": "assistant", "content": "Booked"},
            {"role": "user", "content": "###STOP###"},
        ],
    }
    files = {
        "few_shot_data/MockRetailDomainEnv-few_shot.jsonl": json.dumps({"messages_display": shown}),
        "historical_trajectories/gpt-4o-airline.json": [trial],
    }
    example, played = parse("tau_bench", files)["train"]
    assert texts(example) == [("user", "Where is it?"), ("system", "Here:\n\n- a box"), ("user", "Thanks")]
    assert texts(played) == [("user", "Home, please"), ("system", "Booked")]
    assert [(row["common_domains"], row["scenario"], row["origin"]) for row in (example, played)] == [
        (["shopping"], None, "machine"),
        (["flight"], "Fly home.", "machine"),
    ]


def test_gpt_negochat_acts_are_objects_names_or_true(parse):
    turns = [
        {"role": "Candidate", "input": "Hi!", "output": [{"Greet": True}, {"Query": "Salary"}]},
        {"role": "Employer", "input": "A shell", "output": [{"Offer": {"Salary": "1 shell"}}]},
        {"role": "Candidate", "output": []},
    ]
    rows = parse(
        "gpt_negochat",
        {"data/0.json": {"set": "test", "turns": turns}, "data/1.json": {"set": "train", "turns": turns[:1]}},
    )
    row, other = (row for split in rows.values() for row in split)
    assert (row["original_split"], other["original_split"]) == ("test", "train")  # the row says it, not the file
    assert (texts(row), row["empty_turns"]) == ([("user", "Hi!"), ("system", "A shell")], 1)
    assert acts(row["turns"][0]) == [("Greet", None, None, []), ("Query", None, "Salary", [])]
    assert common_acts(row["turns"][1]) == [("offer", None, "salary")]


def test_alex_context_nlg_has_a_dialogue_for_each_answer(parse):
    raw = {
        "context_utt_l": "to the moon",
        "context_parse_l": 'inform(to_stop="Moon (far side)")',
        "response_da_l": 'iconfirm(to_stop="Moon (far side)")&request(from_stop)&hello()',
        "response_nl_l": ["To the moon. From where?", "From where to the moon?"],
    }
    rows = parse("alex_context_nlg", {"dataset.json": [raw]})["train"]
    assert [row["dialogue_id"] for row in rows] == ["alex_context_nlg/0-0", "alex_context_nlg/0-1"]
    user, system = rows[1]["turns"]
    assert (user["text"], system["text"]) == ("to the moon", "From where to the moon?")
    assert acts(system) == [
        ("iconfirm", None, "to_stop", ["Moon (far side)"]),
        ("request", None, "from_stop", []),
        ("hello", None, None, []),
    ]
    assert common_acts(user) == [("inform", None, "destination")]


def test_kdconv_speakers_take_turns(parse):
    raw = {"name": "月亮", "messages": [{"message": "你看过吗？"}, {"message": "看过。", "attrs": []}]}
    (row,) = parse("kdconv", {"data/film/dev.json": [raw], "data/film/kb_film.json": {}})["validation"]
    assert texts(row) == [("user", "你看过吗？"), ("system", "看过。")]
    assert (row["dialogue_id"], row["domains"], row["common_domains"]) == ("kdconv/film/dev/0", ["film"], ["movie"])


def test_asdc_leaves_out_single_utterances_and_reads_the_split_of_each_record(parse):
    said = [{"name": "agent", "text": "ご予算は?"}, {"name": "user", "text": "千円"}, {"name": "user", "text": "です"}]
    lines = [
        {"docid": {"id": f"x.{n}"}, "purpose": "test", "meta": {}, "utterances": said[:count]}
        for n, count in enumerate((3, 1))
    ]
    named = [{"name": "operator_1", "text": "はい\nどうぞ"}, {"name": "customer_12", "text": "宿を"}]
    files = {
        "data/main/dialog/json/001.json": {"meta": {"id": {"id": "m.1"}, "purpose": "dev"}, "utterances": named},
        "data/vanilla/a.jsonl": "\n".join(map(json.dumps, lines)),
        "data/main/scud/001.jsonl": "{}",
    }
    rows = {row["original_id"]: row for split in parse("asdc", files).values() for row in split}
    assert {name: row["original_split"] for name, row in rows.items()} == {"m.1": "dev", "x.0": "test"}
    assert texts(rows["m.1"]) == [("system", "はい\nどうぞ"), ("user", "宿を")]
    assert texts(rows["x.0"]) == [("system", "ご予算は?"), ("user", "千円"), ("user", "です")]


def test_cima_puts_the_acts_of_a_beginning_on_the_dialogue(parse):
    def record(convo, student, answers):
        return {
            "past_convo": convo,
            "studentActions": student,
            "tutorResponses": list(answers),
            "tutorActions": list(answers.values()),
        }

    asked, hint = [True, False, False, False, False], [False, True, True, False, False]
    begun = record(["Say moon.", "lunno"], ["True", "False", "False", "False"], {"Is it?": asked, "Almost: luna": hint})
    whole = record(["Say moon.", "lunno", "Almost: luna", "Why?"], ["False", "True", "False", "False"], {"So.": asked})
    files = {"dataset.json": {"prepDataset": {"0": begun, "1": whole}, "shapeDataset": {}}}
    (row,) = parse("cima", files)["train"]
    assert [text for _, text in texts(row)] == ["Say moon.", "lunno", "Almost: luna", "Why?", "So."]
    assert [turn["speaker"] for turn in row["turns"]] == ["system", "user"] * 2 + ["system"]
    assert [[a[0] for a in acts(turn)] for turn in row["turns"]] == [
        [],
        ["Guess"],
        ["Hint/Information Reveal", "Correction"],
        ["Question"],
        ["Question"],
    ]
    assert common_acts(row["turns"][2]) == [("hint", None, None), ("correct", None, None)]


def test_mathdial_moves_of_the_teacher_are_acts(parse):
    talk = "Teacher: (focus)Look: 2+2?|EOM|Teacher: (generic)|EOM|Ada: (4) or 5"
    lines = [json.dumps({"qid": 5, "question": "2+2?", "conversation": talk})] * 2
    rows = parse("mathdial", {"data/test.jsonl": "\n".join(lines), "data/example.jsonl": "{}"})["test"]
    assert [row["dialogue_id"] for row in rows] == ["mathdial/test/0", "mathdial/test/1"]
    assert (rows[0]["original_id"], rows[0]["scenario"], rows[0]["empty_turns"]) == ("5", "2+2?", 1)
    assert texts(rows[0]) == [("system", "Look: 2+2?"), ("user", "(4) or 5")]
    assert common_acts(rows[0]["turns"][0]) == [("hint", None, None)]


def test_mathdial_part_without_a_speaker_is_an_error(parse):
    with pytest.raises(DataError, match=r"test\.jsonl.*record 1.*no speaker: 'Look'"):
        parse("mathdial", {"data/test.jsonl": json.dumps({"qid": 5, "question": "?", "conversation": "Look"})})


def test_bridge_takes_each_excerpt_once(parse):
    raw = {
        "c_id": "1_2",
        "lesson_topic": "Moons",
        "c_h": [{"user": "tutor", "text": "How many?"}, {"user": "student", "text": "9"}],
        "c_r": [{"user": "tutor", "text": "No."}, {"user": "tutor", "text": "One."}],
        "c_r_": [{"user": "tutor", "text": "Look up."}],
    }
    (row,) = parse("bridge", {"dataset/test.json": [raw, {**raw, "e": "guess"}]})["test"]
    assert texts(row) == [("system", "How many?"), ("user", "9"), ("system", "No."), ("system", "One.")]
    assert (row["dialogue_id"], row["scenario"]) == ("bridge/test/1_2", "Moons")
