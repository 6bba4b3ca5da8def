"""The invented sample: equal bytes for equal seeds, published formats, clean texts, enough pairs to learn from."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.sample import SOURCES, woz, write_sample
from dataset_builders.sample.grammar import load_phrases

TURN = {"dialogues", "utterances", "user", "system", "empty"}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("invented") / "raw"
    return out, write_sample(out)


def load(path: Path):
    return json.loads(path.read_bytes().decode())


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@lru_cache(maxsize=4)
def dialogues(raw: Path) -> dict[tuple[str, str, str], list[list[tuple[str, str]]]]:
    """Dialogues of (speaker, text) turns by (source, variant, split), read from the files; includes empty texts."""
    result = {
        ("camrest676", "default", "all"): [
            [turn for e in d["dial"] for turn in (("user", e["usr"]["transcript"]), ("system", e["sys"]["sent"]))]
            for d in load(raw / "camrest676/CamRest676.json")
        ]
    }
    for path in sorted((raw / "woz").iterdir()):
        _, split, language = path.stem.split("_")
        result["woz", language, split] = [
            [turn for e in d["dialogue"] for turn in (("system", e["system_transcript"]), ("user", e["transcript"]))]
            for d in load(path)
        ]
    for source, variant, folder in (("sgd", "default", "sgd"), ("multiwoz", "2.2", "multiwoz/MultiWOZ_2.2")):
        for split in ("train", "dev", "test"):
            result[source, variant, split] = [
                [(turn["speaker"].lower(), turn["utterance"]) for turn in d["turns"]]
                for path in sorted((raw / folder / split).glob("dialogues_*.json"))
                for d in load(path)
            ]
    data, lists = load(raw / "multiwoz/MultiWOZ_2.1/data.json"), {}
    for split in ("val", "test"):
        lists[split] = (raw / f"multiwoz/MultiWOZ_2.1/{split}ListFile.txt").read_text().splitlines()
    lists["train"] = [name for name in data if name not in lists["val"] + lists["test"]]
    for split, names in lists.items():
        logs = [data[name]["log"] for name in names]
        result["multiwoz", "2.1", split] = [
            [("system" if i % 2 else "user", turn["text"]) for i, turn in enumerate(log)] for log in logs
        ]
    return result


def texts(raw: Path, *languages: str) -> list[str]:
    return [
        text
        for (source, variant, _), talks in dialogues(raw).items()
        if (variant if source == "woz" else "en") in languages
        for talk in talks
        for _, text in talk
        if text
    ]


def test_same_seed_same_bytes(written, sample_raw, tmp_path):
    assert digests(sample_raw) == digests(written[0])
    write_sample(tmp_path / "other", seed=1)
    assert not set(digests(tmp_path / "other").values()) & {
        value
        for name, value in digests(sample_raw).items()
        if not name.endswith(("schema.json", "categories.json", "domains.json", "SAMPLE.txt"))
    }


def test_counts_of_dialogues_are_those_of_the_files(written):
    raw, counts = written
    assert tuple(counts) == SOURCES
    by_split = dialogues(raw)
    expected_keys = {
        (source, variant, split)
        for source in ("camrest676", "woz", "sgd", "multiwoz")
        for variant, splits in counts[source].items()
        for split in splits
    }
    assert expected_keys == set(by_split)
    for (source, variant, split), talks in by_split.items():
        turns = [(speaker, bool(text.strip())) for talk in talks for speaker, text in talk]
        expected = {
            "dialogues": len(talks),
            "utterances": sum(has_text for _, has_text in turns),
            "user": turns.count(("user", True)),
            "system": turns.count(("system", True)),
            "empty": sum(not has_text for _, has_text in turns),
        }
        assert counts[source][variant][split] == expected


def test_counts_of_rows_are_those_of_the_files(written):
    raw, counts = written
    for split in ("train", "test"):
        with (raw / f"banking77/{split}.csv").open(newline="", encoding="utf-8") as file:
            labels = [row["category"] for row in csv.DictReader(file)]
        assert counts["banking77"]["default"][split] == {"rows": len(labels), "labels": len(set(labels))}
    for name, splits in counts["clinc150"].items():
        data = load(raw / f"clinc150/data_{name}.json")
        assert splits == {s: {"rows": len(r), "labels": len({label for _, label in r})} for s, r in data.items()}


def test_enough_pairs_and_answers(written):
    """A core needs several thousand pairs to learn; answers recur, but not always the same few."""
    pairs = [
        (first[1], second[1])
        for (_, variant, _), talks in dialogues(written[0]).items()
        if variant != "2.1"
        for talk in talks
        for first, second in pairwise(talk)
        if (first[0], second[0]) == ("user", "system") and min(len(first[1].split()), len(second[1].split())) > 3
    ]
    answers = Counter(answer for _, answer in pairs)
    assert len(pairs) >= 4000
    assert len(answers) >= 2000
    assert sum(n for n in answers.values() if n > 1) > 0.3 * len(pairs)
    by_question: dict[str, set[str]] = {}
    for question, answer in pairs:
        by_question.setdefault(question, set()).add(answer)
    # equal questions have different answers, which depend on the turns before
    assert sum(len(several) > 1 for several in by_question.values()) > 0.2 * len(by_question)


def test_no_dialogue_of_train_is_in_test(written):
    by_split = dialogues(written[0])
    for source, variant in (("woz", "en"), ("sgd", "default"), ("multiwoz", "2.2")):
        train, test = ({str(talk) for talk in by_split[source, variant, split]} for split in ("train", "test"))
        assert not train & test


@pytest.mark.parametrize(
    "fault",
    [
        r"[{}\[\]<>|\x00-\x1f]",  # remains of the grammar
        r" {2}|^ | $| [.,?!:]",  # spaces
        r"[.,?!:][.,?!:]|[,:]$",  # punctuation
        r"(^|[.?!] )[a-zäöüàèì]",  # a sentence in lower case
        r"\b(\w+) \1\b",  # a word twice
        r"[Pp]lease\b[^.?!]*\bplease\b",
    ],
)
def test_language_is_clean(written, fault):
    spoken = texts(written[0], "en", "de", "it")
    assert len(spoken) > 5000
    assert [text for text in spoken if re.search(fault, text)] == []


def test_articles_questions_and_ends(written):
    for text in texts(written[0], "en"):
        assert not re.search(r"\b[Aa] [aeiouAEIOU]|\b[Aa]n [^aeiouAEIOU]", text), text
        assert text[-1] in ".?!", text
        assert not re.search(
            r"(^|[.?!] )(Can|Could|Would|May|What|Which|Where|How many|How long) (?!about)[^.?!]*\.", text
        ), text


def test_german_and_italian_are_spoken(written):
    for language, words in (("de", {"ich", "bitte", "das"}), ("it", {"il", "per", "grazie"})):
        users = [
            text
            for split in ("train", "test")
            for d in dialogues(written[0])["woz", language, split]
            for s, text in d
            if s == "user"
        ]
        spoken = {word for text in users for word in re.findall(r"\w+", text.lower())}
        assert words <= spoken
        assert not spoken & {"please", "thank", "which", "restaurants"}


@pytest.mark.parametrize(
    "name", sorted(p.name[:-4] for p in (resources.files("dataset_builders.sample") / "texts").iterdir())
)
def test_phrases_are_well_formed(name):
    for heading, phrases in load_phrases(name).sections.items():
        assert phrases or heading.startswith("show "), heading
        for phrase in phrases:
            for opening, closing in ("[]", "<>", "{}"):
                assert phrase.count(opening) == phrase.count(closing), phrase


def test_camrest676_format(written):
    for number, record in enumerate(load(written[0] / "camrest676/CamRest676.json")):
        assert set(record) == {"dialogue_id", "finished", "goal", "dial"}
        assert record["dialogue_id"] == number
        assert isinstance(record["finished"], bool)
        assert set(record["goal"]) == {"constraints", "request-slots", "text"}
        for turn, entry in enumerate(record["dial"]):
            assert set(entry) == {"turn", "usr", "sys"}
            assert entry["turn"] == turn
            assert set(entry["usr"]) == {"transcript", "slu"}
            assert set(entry["sys"]) == {"sent", "DA"}
            for act in entry["usr"]["slu"]:
                assert set(act) == {"act", "slots"}
                assert act["act"] in ("inform", "request")
                for slot, value in act["slots"]:
                    assert slot in ("food", "area", "pricerange", "slot")
                    assert value == value.lower()


def test_woz_format(written):
    keys = {"turn_label", "asr", "system_transcript", "turn_idx", "belief_state", "transcript", "system_acts"}
    seen, empty = Counter(), 0
    for split in ("train", "validate", "test"):
        by_language = {
            language: load(written[0] / f"woz/woz_{split}_{language}.json") for language in ("en", "de", "it")
        }
        for trio in zip(*by_language.values(), strict=True):
            assert len({record["dialogue_idx"] for record in trio}) == 1
            seen[trio[0]["dialogue_idx"]] += 1
            for entries in zip(*(record["dialogue"] for record in trio), strict=True):
                assert len({entry["system_transcript"] for entry in entries}) == 1  # never translated upstream
                assert all(set(entry) == keys for entry in entries)
                assert all(entry["asr"] == [[entry["transcript"], 1.0]] for entry in entries)
                assert len({len(entry["turn_label"]) for entry in entries}) == 1
                empty += entries[1]["transcript"] == ""
                assert entries[0]["transcript"]
                assert entries[2]["transcript"]
            assert trio[0]["dialogue"][0]["system_transcript"] == ""
            assert all(entry["system_transcript"] for entry in trio[0]["dialogue"][1:])
    assert set(seen) == set(range(len(seen)))
    assert set(seen.values()) == {1}
    assert 0 < empty < 10
    slots = {
        slot for d in load(written[0] / "woz/woz_train_de.json") for e in d["dialogue"] for slot, _ in e["turn_label"]
    }
    assert slots == {"essen", "gegend", "preisklasse", "request"}


def test_sgd_format(written):
    services: dict[str, set[str]] = {}
    for split in ("train", "dev", "test"):
        schema = load(written[0] / f"sgd/{split}/schema.json")
        slots = {s["service_name"]: {slot["name"] for slot in s["slots"]} for s in schema}
        intents = {s["service_name"]: {intent["name"] for intent in s["intents"]} for s in schema}
        services[split] = set(slots)
        for service in schema:
            assert set(service) == {"service_name", "description", "slots", "intents"}
            for intent in service["intents"]:
                assert {*intent["required_slots"], *intent["optional_slots"], *intent["result_slots"]} <= slots[
                    service["service_name"]
                ]
        files = sorted((written[0] / "sgd" / split).glob("dialogues_*.json"))
        records = [record for path in files for record in load(path)]
        assert len({record["dialogue_id"] for record in records}) == len(records)
        acts, calls = Counter(), 0
        for record in records:
            assert set(record) == {"dialogue_id", "services", "turns"}
            speakers = [turn["speaker"] for turn in record["turns"]]
            assert speakers == ["USER", "SYSTEM"] * (len(speakers) // 2)
            for turn in record["turns"]:
                assert turn["frames"]
                for frame in turn["frames"]:
                    name = frame["service"]
                    assert name in record["services"]
                    assert (
                        {"actions", "service", "slots"}
                        <= set(frame)
                        <= {"actions", "service", "slots", "state", "service_call", "service_results"}
                    )
                    assert ("state" in frame) == (turn["speaker"] == "USER")
                    if "state" in frame:
                        assert frame["state"]["active_intent"] in intents[name]
                        assert {*frame["state"]["requested_slots"], *frame["state"]["slot_values"]} <= slots[name]
                    calls += "service_call" in frame
                    values = {(a["slot"], v) for a in frame["actions"] for v in a["values"]}
                    for action in frame["actions"]:
                        assert set(action) == {"act", "canonical_values", "slot", "values"}
                        acts[action["act"]] += 1
                    for span in frame["slots"]:
                        words = turn["utterance"][span["start"] : span["exclusive_end"]]
                        assert (span["slot"], words) in values or turn["speaker"] == "USER"
                        assert span["slot"] in slots[name]
        assert {"INFORM_INTENT", "INFORM", "REQUEST", "OFFER", "CONFIRM", "NOTIFY_SUCCESS", "AFFIRM", "GOODBYE"} <= set(
            acts
        )
        assert calls > len(records)
    assert len(list((written[0] / "sgd/train").glob("dialogues_*.json"))) > 1
    assert services["test"] - services["train"]
    assert services["test"] & services["train"]


def test_multiwoz_formats(written):
    folder = written[0] / "multiwoz"
    data = load(folder / "MultiWOZ_2.1/data.json")
    schema = load(folder / "MultiWOZ_2.2/schema.json")
    slots = {slot["name"] for service in schema for slot in service["slots"]}
    names = [service["service_name"] for service in schema]
    assert names == ["hotel", "train", "attraction", "restaurant", "hospital", "taxi", "bus", "police"]
    seen = []
    for split, listed in (("train", None), ("dev", "val"), ("test", "test")):
        records = load(folder / f"MultiWOZ_2.2/{split}/dialogues_001.json")
        ids = [record["dialogue_id"] for record in records]
        seen += ids
        if listed:
            assert (folder / f"MultiWOZ_2.1/{listed}ListFile.txt").read_text().split() == ids
        for record in records:
            log = data[record["dialogue_id"]]["log"]
            assert [turn["utterance"] for turn in record["turns"]] == [entry["text"] for entry in log]
            for number, turn in enumerate(record["turns"]):
                assert set(turn) == {"frames", "speaker", "turn_id", "utterance"}
                assert turn["turn_id"] == str(number)
                assert len(turn["frames"]) == 8 or turn["speaker"] == "SYSTEM"
                for frame in turn["frames"]:
                    assert ("state" in frame) == (turn["speaker"] == "USER")
                    assert set(frame.get("state", {}).get("slot_values", {})) <= slots
                    for span in frame["slots"]:
                        assert turn["utterance"][span["start"] : span["exclusive_end"]] == span["value"]
                        assert span["slot"] in slots
    assert sorted(seen) == sorted(data)
    references = 0
    for name, record in data.items():
        assert re.fullmatch(r"(SNG|PMUL)\d{4}\.json", name)
        assert set(record) == {"goal", "log"}
        for number, entry in enumerate(record["log"]):
            assert set(entry) == {"text", "metadata", "dialog_act", "span_info"}
            assert bool(entry["metadata"]) == bool(number % 2)
            for part in entry["metadata"].values():
                assert set(part) == {"book", "semi"}
                references += bool(part["book"]["booked"])
            for act, slot, *_ in entry["span_info"]:
                assert slot in [known for known, _ in entry["dialog_act"][act]]
    assert references > 20


def test_banking77_format(written):
    folder = written[0] / "banking77"
    labels = load(folder / "categories.json")
    assert len(labels) >= 12
    rows = {}
    for split, least in (("train", 30), ("test", 10)):
        raw = (folder / f"{split}.csv").read_bytes()
        assert raw.startswith(b"text,category\r\n")
        assert raw.endswith(b"\r\n")
        with (folder / f"{split}.csv").open(newline="", encoding="utf-8") as file:
            rows[split] = [(row["text"], row["category"]) for row in csv.DictReader(file)]
        assert set(Counter(label for _, label in rows[split])) == set(labels)
        assert min(Counter(label for _, label in rows[split]).values()) >= least
        assert any("\n" in text and "\r" not in text for text, _ in rows[split])
    assert not {text for text, _ in rows["train"]} & {text for text, _ in rows["test"]}
    assert not [
        text for of_split in rows.values() for text, _ in of_split if re.search(r" {2}| [.,?!]|[{}\[\]<>|]", text)
    ]


def test_clinc150_format(written):
    folder = written[0] / "clinc150"
    domains = load(folder / "domains.json")
    intents = {intent for listed in domains.values() for intent in listed}
    assert len(domains) >= 3
    assert len(intents) >= 15
    full = load(folder / "data_full.json")
    for name in ("full", "small", "imbalanced", "oos_plus"):
        data = load(folder / f"data_{name}.json")
        assert set(data) == {"train", "val", "test", "oos_train", "oos_val", "oos_test"}
        for split in ("val", "test", "oos_val", "oos_test"):
            assert data[split] == full[split]
        for split, rows in data.items():
            assert {label for _, label in rows} == ({"oos"} if split.startswith("oos") else intents)
            assert all(text == text.lower() for text, _ in rows)
    spoken = [text for rows in full.values() for text, _ in rows]
    assert len(spoken) == len(set(spoken))


def test_a_folder_in_use_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="choose another DIR"):
        write_sample(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(folder, seed):
        raise OSError("disk full")

    monkeypatch.setattr(woz, "write", fail)  # the second source: the first is written by then
    with pytest.raises(OSError, match="disk full"):
        write_sample(tmp_path / "raw")
    assert list(tmp_path.iterdir()) == []


def test_import_is_cheap():
    heavy = "{'torch', 'datasets', 'numpy', 'pyarrow'}"
    code = f"import sys, dataset_builders.sample; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
