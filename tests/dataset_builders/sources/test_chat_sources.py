"""Quirks of sources of chat, meetings and consultations, on invented files in the original format."""

import csv
import io
import json
import tarfile

import pytest

from dataset_builders.common.errors import DataError


def texts(row):
    """Speaker and text of each turn."""
    return [(turn["speaker"], turn["text"]) for turn in row["turns"]]


def said(row):
    """Name of the speaker, its side and text of each turn."""
    return [(turn["speaker_id"], turn["speaker"], turn["text"]) for turn in row["turns"]]


def csv_file(*rows):
    """A CSV file in which all cells are quoted."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue()


def self_dialogue(*workers):
    sentences = [f"Answer.sentence{number}" for number in sorted(range(1, 11), key=str)]
    rows = [[worker, *(f"{worker} says {name[15:]}" for name in sentences), "x"] for worker in workers]
    return csv_file(["WorkerId", *sentences, "Approve"], *rows)


def test_self_dialogue_sorts_the_sentences_by_number_and_leaves_out_blocked_workers(parse):
    files = {"corpus/fast_furious/Batch_7_batch_results.csv": self_dialogue("A1", "A2"), "blocked_workers.txt": "A1\n"}
    (row,) = parse("self_dialogue", files)["train"]
    assert texts(row) == [("system" if i % 2 else "user", f"A2 says {i + 1}") for i in range(10)]
    assert (row["dialogue_id"], row["domains"], row["common_domains"]) == (
        "self_dialogue/fast_furious/7-2",
        ["fast_furious"],
        ["movie"],
    )


def test_self_dialogue_needs_the_list_of_blocked_workers(parse):
    with pytest.raises(DataError, match=r"expected blocked_workers\.txt beside corpus/"):
        parse("self_dialogue", {"corpus/music/Batch_7_batch_results.csv": self_dialogue("A1")})


def test_chitchat_makes_one_turn_of_the_messages_of_a_sender(parse):
    turns = [[("a", "hello"), ("a", "you there?")], [("b", "yes")], [("a", " ")]]
    messages = [[{"text": text, "timestamp": "2018", "sender": who} for who, text in turn] for turn in turns]
    record = {"messages": messages, "prompt": "What is fun?", "ratings": {"witty": 5}, "start": "2018"}
    first, second = parse("chitchat", {"dataset.json": {"u1": record, "u2": {"messages": messages, "start": ""}}})[
        "train"
    ]
    assert texts(first) == [("user", "hello\nyou there?"), ("system", "yes")]
    assert (first["empty_turns"], first["scenario"], second["scenario"]) == (1, "What is fun?", None)
    assert "sender" not in str(first)


LOG = """\
=== Zed [~zed@example.org] has joined #ubuntu
[03:41] <zed> my screen is black
[03:41] <Ann> hi
[03:42] <bob> zed: is the cable in?
[03:42]  * bob yawns
[03:43] <zed> [bob]: yes. As ann and <bob> said, bobby!
[03:44] <Ann> Carl: try F8 \xff
[03:44] <carl> ok
"""


def test_irc_conversations_are_what_links_connect(parse):
    links = "1 1 -\n1 3 - \n3 4 -\n4 5 -\n2 2 -\n6 6 -\n7 7 -\n6 7 -\n"
    files = {"data/dev/d.ascii.txt": LOG.encode("latin-1"), "data/dev/d.annotation.txt": links}
    first, second = parse("irc_disentanglement", files)["validation"]
    assert said(first) == [
        ("1", "user", "my screen is black"),
        ("2", "system", "@1: is the cable in?"),
        ("1", "user", "[@2]: yes. As ann and <@2> said, bobby!"),
    ]
    assert said(second) == [("1", "user", "@2: try F8 \ufffd"), ("2", "system", "ok")]
    assert (first["dialogue_id"], second["original_id"]) == ("irc_disentanglement/dev/d/1", "dev/d/6")


def test_irc_reads_the_other_rooms_and_channel_two_once(parse):
    log = "rust 2018-05-29 [21:20:37] <talbot> how? \nrust 2018-05-29 [21:20:48] <una> so \n"
    files = {
        f"data/{name}.{kind}.txt": text
        for name in ("new-domains/rust.0", "channel-two/channel-two.all", "channel-two/channel-two.dev")
        for kind, text in (("ascii", log), ("annotation", "0 1 - \n"))
    }
    rows = parse("irc_disentanglement", files)["test"]
    assert [(row["original_split"], texts(row)) for row in rows] == [
        (split, [("user", "how?"), ("system", "so")]) for split in ("channel-two", "new-domains")
    ]
    with pytest.raises(DataError, match="no annotation beside it"):
        parse("irc_disentanglement", {"data/dev/d.ascii.txt": LOG})


def test_real_persona_chat_numbers_the_masks_of_names(parse):
    utterances = [("QA", "はじめまして、<QA>です"), ("QB", "<QB>です。＊＊に住んでいます")]
    record = {
        "dialogue_id": 1,
        "interlocutors": ["QA", "QB"],
        "utterances": [
            {"utterance_id": i, "interlocutor_id": who, "text": text, "timestamp": "NaT"}
            for i, (who, text) in enumerate(utterances)
        ],
    }
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:xz") as archive:
        for name in ("dialogues/00001.json", "dialogues/00007.json"):  # with the same `dialogue_id`
            data = json.dumps(record).encode()
            member = tarfile.TarInfo(f"real_persona_chat/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    rows = parse("real_persona_chat", {"rpc.tar.xz": content.getvalue()})["train"]
    assert [row["dialogue_id"] for row in rows] == ["real_persona_chat/00001", "real_persona_chat/00007"]
    assert texts(rows[0]) == [("user", "はじめまして、@1です"), ("system", "@2です。＊＊に住んでいます")]
    assert rows[0]["language"] == "ja"


def test_mrmp_chat_numbers_three_speakers_also_where_they_are_addressed(parse):
    utterances = [("そば", "こんにちは"), ("そばこ", "@そば どうも"), ("なす", "@そばこ @なす はい"), ("そば", "ね")]
    record = {
        "dialogue_id": "B10001",
        "interlocutors": ["そばこ", "そば", "なす"],
        "utterances": [{"interlocutor_id": who, "text": text, "mention_to": []} for who, text in utterances],
    }
    (row,) = parse("mrmp_chat", {"dialogues/B_family/B10001.json": record, "interlocutors.json": {}})["train"]
    assert said(row) == [
        ("1", "user", "こんにちは"),
        ("2", "system", "@1 どうも"),
        ("3", "system", "@2 @3 はい"),
        ("1", "user", "ね"),
    ]


def test_qmsum_cuts_a_meeting_where_topics_begin_and_leaves_out_marks(parse):
    said_there = [
        ("Grad A", "{vocalsound}"),
        ("PhD B", "OK , {disfmarker} so {pause} go ."),
        ("Grad A", "Mm - hmm"),
        ("PhD B", "Next ."),
        ("Grad A", "{vocalsound} {gap}"),
        ("Mrs. C", "Yes . {comment}"),
        ("PhD B", "{vocalsound}"),
    ]
    topics = [("lunch", [["3", "5"]]), ("start", [["1", "1"], ["3", "3"]]), ("noise", [["6", "6"]])]
    record = {
        "meeting_transcripts": [{"speaker": who, "content": text} for who, text in said_there],
        "topic_list": [{"topic": topic, "relevant_text_span": spans} for topic, spans in topics],
    }
    (second, third) = parse("qmsum", {"data/ALL/val/Bmr1.json": record})["validation"]
    assert (second["dialogue_id"], said(second)) == (
        "qmsum/val/Bmr1/1",
        [("1", "user", "OK , so go ."), ("2", "system", "Mm - hmm")],
    )
    assert (third["dialogue_id"], said(third), third["empty_turns"]) == (
        "qmsum/val/Bmr1/3",
        [("1", "user", "Next ."), ("2", "system", "Yes .")],
        1,
    )


def test_mts_dialog_mends_the_speakers_and_joins_lines_without_one(parse):
    lines = [
        '"Doctor: Who came along? ',
        "Gest_family. His wife. ",
        "Guest_clinican: Me.",
        "And you",
        " Docotr_2 : Fine.",
    ]
    header = ["ID", "section_header", "section_text", "dialogue"]
    files = {
        f"Main-Dataset/MTS-Dialog-{name}.csv": csv_file(header, ["0", "CC", "Cough.", "\r\n".join(lines)])
        for name in ("TrainingSet", "TestSet-1-MEDIQA-Chat-2023", "TestSet-2-MEDIQA-Sum-2023")
    }
    rows = parse("mts_dialog", files)
    assert [row["dialogue_id"] for row in rows["test"]] == ["mts_dialog/test1/0", "mts_dialog/test2/0"]
    assert said(rows["train"][0]) == [
        ("doctor", "system", "Who came along?"),
        ("guest_family", "user", "His wife."),
        ("guest_clinician", "system", "Me.\nAnd you"),
        ("doctor_2", "system", "Fine."),
    ]


def test_aci_bench_begins_with_the_doctor_where_the_mark_is_missing(parse):
    dialogue = "hi , jo .\n[patient] hi .\n[doctor]\n[patient_guest] me too .\n[doctor] so\n[ inaudible 00:01:02 ] ok"
    header = ["dataset", "encounter_id", "dialogue", "note"]
    files = {
        f"data/challenge_data/{name}.csv": csv_file(header, ["aci", f"D2N{i}", dialogue, "note"])
        for i, name in enumerate(("valid", "clinicalnlp_taskB_test1", "clef_taskC_test3"))
    }
    rows = parse("aci_bench", files)
    assert [(row["original_id"], row["original_split"]) for row in rows["test"]] == [
        ("D2N1", "test1"),
        ("D2N2", "test3"),
    ]
    (row,) = rows["validation"]
    assert (said(row), row["empty_turns"]) == (
        [
            ("doctor", "system", "hi , jo ."),
            ("patient", "user", "hi ."),
            ("patient_guest", "user", "me too ."),
            ("doctor", "system", "so\n[ inaudible 00:01:02 ] ok"),
        ],
        1,
    )


def text_grid(*intervals):
    lines = ['File type = "ooTextFile"', "xmin = 0 ", "xmax = 9 ", "item []: ", '    name = "Doctor" ', "xmin = 0 "]
    for number, (start, text) in enumerate(intervals, start=1):
        lines += [f"intervals [{number}]:", f"    xmin = {start} ", "    xmax = 9 ", f'    text = "{text}" ']
    return "\r\n".join(lines)


def test_primock57_interleaves_both_sides_by_time_without_tags(parse):
    said_there = "<UNIN/>. <UNSURE>Hello</UNSURE>, <UNIN/> <UNIN/>, how <UNIN/> are you <UNIN/> ? Hm..."
    doctor = text_grid((0, ""), (2.5, said_there), (10, "<UNIN/>."))
    files = {
        "transcripts/day1_consultation01_doctor.TextGrid": doctor,
        "transcripts/day1_consultation01_patient.TextGrid": text_grid((1, "Hi."), (9.5, "So <INAUDIBLE_SPEECH/> so.")),
    }
    (row,) = parse("primock57", files)["train"]
    assert texts(row) == [("user", "Hi."), ("system", "Hello, how are you? Hm..."), ("user", "So so.")]
    assert row["dialogue_id"] == "primock57/day1_consultation01"
    with pytest.raises(DataError, match="no file of the patient beside it"):
        parse("primock57", {"transcripts/day2_consultation01_doctor.TextGrid": doctor})


def test_topical_chat_keeps_the_splits_by_rarity(parse):
    content = [
        {"message": f"{agent} speaks ", "agent": agent, "sentiment": "Happy"} for agent in ("agent_1", "agent_2")
    ]
    files = {
        f"conversations/{split}.json": {f"t_{split}": {"content": content}}
        for split in ("train", "valid_freq", "test_rare")
    }
    rows = parse("topical_chat", files)
    assert {split: [row["original_split"] for row in each] for split, each in rows.items()} == {
        "train": ["train"],
        "validation": ["valid_freq"],
        "test": ["test_rare"],
    }
    assert texts(rows["test"][0]) == [("user", "agent_1 speaks"), ("system", "agent_2 speaks")]


def test_xpersona_translations_share_the_id_of_their_english_dialogue(parse):
    def persona(*pairs):
        return {"persona": ["i sing ."], "dialogue": [list(pair) for pair in pairs]}

    chats = [persona((f"q {i}", f"a {i}")) for i in range(8)]
    human = "human_annotated.json"
    files = {
        "dataset/En_persona_test.json": chats,
        "dataset/En_persona_valid.json": [persona(("__SILENCE__", "hey"), ("hi", "ok"))],
        f"dataset/Fr_persona_split_test_{human}": [chats[i] for i in (0, 2, 4, 7)],
        f"dataset/Fr_persona_split_valid_{human}": [chats[i] for i in (1, 3, 5)],
        f"dataset/Jp_persona_split_test_{human}": chats[:1],
        "dataset/Jp_persona_train_corrected.json": chats[:1],
    }
    rows = parse("xpersona", files)
    (english,) = rows["validation"]
    assert (texts(english)[0], english["parallel_id"]) == (("system", "hey"), None)
    assert (rows["train"][0]["language"], rows["train"][0]["parallel_id"]) == ("ja", None)
    assert {row["original_split"] for row in rows["test"]} == {"test", "split_test", "split_valid"}
    for row in rows["test"]:
        assert row["parallel_id"] == f"xpersona/{row['turns'][0]['text'][2:]}"
        assert row["origin"] == ("human" if row["language"] == "en" else "machine")


def test_synthetic_persona_chat_keeps_recipes_but_no_stage_directions(parse):
    header = ["user 1 personas", "user 2 personas", "Best Generated Conversation"]
    lines = ["User 1: A recipe?", "", "User 2: Sure:", "1. Boil water.", "2. Wait.", "User 1: Ok.", "(At home)"]
    rows = [["I cook.", "I sing.", "\n".join([*lines, "* * User 1: * * Thanks!"])], ["I cook.", "I sing.", "Hello!"]]
    files = {"data/Synthetic-Persona-Chat_valid.csv": csv_file(header, *rows)}
    (row,) = parse("synthetic_persona_chat", files)["validation"]
    assert texts(row) == [
        ("user", "A recipe?"),
        ("system", "Sure:\n1. Boil water.\n2. Wait."),
        ("user", "Ok."),
        ("user", "Thanks!"),
    ]
    assert (row["dialogue_id"], row["origin"]) == ("synthetic_persona_chat/valid/1", "machine")


def test_chatterbot_corpus_reads_lists_in_each_language(parse):
    conversations = (
        "categories:\n- talk\nconversations:\n- - Ja?\n  - No\n  - 12\n- A - lost indentation\n- - '  '\n  - Nej\n"
    )
    files = {f"chatterbot_corpus/data/{name}.yml": conversations for name in ("swedish/sport", "hinglish/greetings")}
    files["chatterbot_corpus/data/swedish/conversations.yml"] = "conversations:\n- - Hi\n  - Hello\n"
    rows = parse("chatterbot_corpus", files)["train"]
    assert [(row["original_id"], row["language"], row["common_domains"]) for row in rows] == [
        ("hinglish/greetings/0", "hi-Latn", ["greeting"]),
        ("hinglish/greetings/2", "hi-Latn", ["greeting"]),
        ("swedish/conversations/0", "en", ["chat"]),
        ("swedish/sport/0", "sv", ["sport"]),
        ("swedish/sport/2", "sv", ["sport"]),
    ]
    assert texts(rows[3]) == [("user", "Ja?"), ("system", "No"), ("user", "12")]
    assert texts(rows[4]) == [("system", "Nej")]


def test_songys_chatbot_data_reads_pairs_with_their_label(parse):
    table = csv_file(["Q", "A", "label"], ["안녕", "반가워요.", "0"], ["보고 싶어", "연락해 보세요.", "2   "])
    rows = parse("songys_chatbot_data", {"ChatbotData.csv": table})["train"]
    assert texts(rows[0]) == [("user", "안녕"), ("system", "반가워요.")]
    assert [(row["domains"], row["common_domains"]) for row in rows] == [(["0"], ["daily_life"]), (["2"], ["love"])]
