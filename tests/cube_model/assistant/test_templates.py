"""Answers as templates, and services as domains, from an annotated dataset."""

import json

import pyarrow as pa
import pytest

from cube_model import DialogueAssistant
from cube_model.assistant.build import build_assistant
from cube_model.assistant.config import AssistantConfig
from cube_model.assistant.entries import domains_of, read_entries
from cube_model.assistant.store import AnswerStore
from dataset_builders.schema import span
from hub.invented import COMMON, dialogue, pair, write_dataset

TOWNS = ("Little Bay", "Stone Hill", "North End", "Old Mill")


def annotated(number, town):
    question, answer = f"When does bus {number} leave, please?", f"It leaves for {town} at noon."
    row = dialogue(f"d{number}", question)
    start = answer.index(town)
    row["turns"][1] |= {"text": answer}
    row["turns"][1]["annotations"]["slots"] = [span("to", town, start, start + len(town), "train") | COMMON]
    facts = {"positive": answer, "context": [], "domains": [f"Buses_{1 + number % 2}"]}
    return row, pair(f"d{number}", question, **facts)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    rows = [annotated(number, town) for number, town in enumerate(TOWNS)]
    pairs = [row for _, row in rows] + [pair("plain", "Who are you?", positive="A bus line.", context=[])]
    dialogues = [row for row, _ in rows]
    folder = tmp_path_factory.mktemp("data") / "dataset"
    return str(write_dataset(folder, {("dialogues", "train"): dialogues, ("pairs", "train"): pairs}))


def test_answers_that_differ_in_the_values_of_slots_are_one(data, tiny_encoder, tmp_path):
    folder = build_assistant(AssistantConfig(data=data, encoder=str(tiny_encoder)), tmp_path / "desk")
    assistant = DialogueAssistant.from_pretrained(folder)
    reply = assistant.reply("When does bus 2 leave, please?")
    assert [answer.template for answer in reply.answers] == ["It leaves for [to] at noon.", ""]
    assert reply.answers[0].text == "It leaves for North End at noon."
    assert [answer.similar for answer in reply.answers] == [3, 0]


def test_services_of_a_domain_are_one_domain(data):
    assert {
        name for names in read_entries(AssistantConfig(data=data)).index["domains"].to_pylist() for name in names
    } == {
        "Buses",
        "train",
    }
    assert domains_of(["Hotels_2", "Hotels_4", "taxi"]) == ["Hotels", "taxi"]
    assert domains_of(None) is None


def test_an_assistant_without_templates_is_read(folder):
    """Entries of earlier versions have no such column, and their manifest names no calibration."""
    import pyarrow.parquet as pq

    from dataset_builders.common.integrity import xxh3

    file = folder / "segments" / "000001" / "entries.parquet"
    table = pq.read_table(file).drop_columns(["template"])
    services = pa.array([["Hotels_1", "Hotels_3"]] * len(table))
    pq.write_table(table.set_column(table.schema.get_field_index("domains"), "domains", services), file)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["segments"][0]["digests"]["entries.parquet"] = xxh3(file)
    for name in ("calibrated", "core", "context_turns"):
        del manifest[name]
    del manifest["encoder"]["joined_turns"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assistant = DialogueAssistant.from_pretrained(folder)
    assert assistant.reply("How can I pay?").answers[0].template == ""
    assert assistant.info["calibration"]["version"] == 1
    table = AnswerStore(folder).view().table
    assert table["template"].null_count == 24
    assert table["domains"].to_pylist() == [["Hotels"]] * 24
