"""What a build does with translations, copies, origins and annotations of several sources."""

import json

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from dataset_builders.corpus.build import build_dataset
from dataset_builders.corpus.options import BuildOptions
from dataset_builders.quality.report.check_tables import duplicates_section
from dataset_builders.quality.report.corpus_tables import annotations_section
from dataset_builders.quality.report.read import read_report
from dialogue_cube import app
from support.leak_check import leaks, rows

SAID = [("train", "1", "wake me", "weck mich"), ("train", "2", "good night", "ja"), ("test", "3", "yes", "ja")]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Invented files of four sources: MASSIVE in two languages, MultiWOZ with its translation, and Bitext."""
    raw = tmp_path_factory.mktemp("raw")
    files = {}
    for place, locale in ((2, "en-US"), (3, "de-DE")):
        entries = [
            {"partition": row[0], "id": row[1], "locale": locale, "utt": row[place], "intent": "a", "scenario": "b"}
            for row in SAID
        ]
        files[f"massive/1.0/data/{locale}.jsonl"] = "\n".join(map(json.dumps, entries))
    turns = [("USER", "I need a small hotel in the north"), ("SYSTEM", "There are two of them in the north")]
    frame = {"service": "hotel", "slots": [], "state": {"active_intent": "find_hotel", "slot_values": {}}}
    frame["state"]["requested_slots"] = ["hotel-phone"]
    english = [
        {
            "dialogue_id": "SNG1.json",
            "services": ["hotel"],
            "turns": [{"speaker": who, "utterance": text, "frames": [frame] * (who == "USER")} for who, text in turns],
        }
    ]
    files["multiwoz/MultiWOZ_2.2/dev/dialogues_001.json"] = json.dumps(english)
    files["russian_multiwoz/interim/v1/russian/dev_dialogues_001_ru.txt"] = (
        "Мне нужен маленький отель на севере\nНа севере их два, оба недорогие\n"
    )
    files["bitext_customer_service/data/dev/Bitext_Sample_Customer_Service_Validation_Dataset.csv"] = (
        "utterance,intent,entity_type,entity_value,start_offset,end_offset,category,tags\nwake me,pay,,,,,PAYMENT,B\n"
    )
    for name, text in files.items():
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_text(text, encoding="utf-8")
    return raw


@pytest.fixture(scope="module")
def built(raw, cache_dir, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "dataset"
    build_dataset([], raw, out, cache_dir=cache_dir, warn=lambda _: None)
    return out


def test_a_translation_and_a_copy_of_a_later_split_are_dropped_for_their_own_reasons(built):
    assert leaks(built) == {"clusters": 0, "pairs": 0, "texts": 0, "translations": 0, "benchmark": 0}
    kept = {
        (split, row["utterance_id"].partition("/")[2])
        for split in ("train", "validation", "test")
        for row in rows(built, "downstream", split, ["utterance_id"])
    }
    # the German text of 2 is also a test text, and the English one of 1 a text of Bitext's validation split: these two
    # are dropped. Their translations stay: they are no translations of those other sentences
    assert kept == {
        ("train", "train/de-DE/1"),
        ("train", "train/en-US/2"),
        ("test", "test/en-US/3"),
        ("test", "test/de-DE/3"),
        ("validation", "dev/0"),
    }
    report = json.loads((built / "quality" / "report.json").read_text())
    assert report["leaks"]["before"]["text"]["massive"]["train-test"] == 1
    assert report["leaks"]["after"]["translated text"]["massive"] == dict.fromkeys(
        ("train-test", "train-validation", "validation-test"), 0
    )
    dropped = pq.read_table(built / "quality" / "drops.parquet").to_pylist()
    reasons = {row["row_id"]: row["value"] for row in dropped if row["config"] == "downstream"}
    assert reasons["massive/train/de-DE/2"] == "massive/test/de-DE/3"
    assert reasons["massive/train/en-US/1"] == "bitext_customer_service/dev/0"


def test_pairs_of_translated_dialogues_have_the_id_of_their_anchor(built):
    pairs = {
        row["source"]: row for row in rows(built, "pairs", "validation", ["source", "parallel_id", "origin", "anchor"])
    }
    assert pairs["multiwoz"]["parallel_id"] == pairs["russian_multiwoz"]["parallel_id"] == "multiwoz/dev-001-000#0"
    assert (pairs["multiwoz"]["origin"], pairs["russian_multiwoz"]["origin"]) == ("human", "machine")


def test_annotations_are_counted_and_kept_in_common_words(built):
    report = read_report(built)
    (table,) = annotations_section(report).tables
    assert ("multiwoz", 0.5, "none", 0.5, 1.0) in table.rows
    assert ("russian_multiwoz", "none", "none", "none", "none") in table.rows
    (row,) = [
        row
        for row in rows(built, "dialogues", "validation", ["source", "turns", "common_domains"])
        if row["source"] == "multiwoz"
    ]
    (act,) = row["turns"][0]["annotations"]["acts"]
    assert (act["act"], act["domain"], act["slot"]) == ("request", "hotel", "hotel-phone")
    assert (act["common_act"], act["common_domain"], act["common_slot"]) == ("request", "hotel", "phone number")
    assert row["common_domains"] == ["hotel"]


def test_the_overlap_matrix_is_a_share_of_the_rows_corpus(built):
    matrix = next(
        t for t in duplicates_section(read_report(built)).tables if t.title.startswith("Overlap matrix: downstream")
    )
    assert list(matrix.columns)[1:] == ["bitext_customer_service", "massive"]
    assert matrix.rows == [("bitext_customer_service", None, 1.0), ("massive", 1 / 6, None)]


def test_rows_of_chosen_origins(raw, cache_dir, tmp_path):
    build_dataset(
        [], raw, tmp_path / "human", BuildOptions(origins=("human",)), cache_dir=cache_dir, warn=lambda _: None
    )
    origins = {
        row["origin"]
        for config in ("dialogues", "downstream")
        for split in ("train", "validation", "test")
        for row in rows(tmp_path / "human", config, split, ["origin"])
    }
    assert origins == {"human"}
    result = CliRunner().invoke(
        app, ["build", "--raw-dir", str(raw), "--out", str(tmp_path / "x"), "--origins", "parrot"]
    )
    assert result.exit_code != 0
    assert not (tmp_path / "x").exists()
