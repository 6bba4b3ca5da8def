"""Rows for a review in Argilla, in the layout of its `Dataset.to_disk`, and the decisions that come back."""

import json

import pytest
from typer.testing import CliRunner

from dataset_builders.common.decisions import RowDecision, append_decisions, read_decisions, text_digest
from dataset_builders.common.errors import DataError
from dataset_builders.database.argilla import export_argilla, read_argilla
from dataset_builders.database.opening import open_database
from dialogue_cube import app


def read(folder):
    names = {"dataset": ".argilla/dataset.json", "settings": ".argilla/settings.json", "records": "records.json"}
    return {name: json.loads((folder / path).read_text()) for name, path in names.items()}


@pytest.mark.parametrize("config", ["dialogues", "pairs", "downstream"])
def test_records_have_the_fields_and_questions_of_the_settings(database, tmp_path, config):
    source = "banking77" if config == "downstream" else "camrest676"
    with open_database(database) as connection:
        count = export_argilla(connection, tmp_path / "review", config, sources=[source], most=5)
    written = read(tmp_path / "review")
    assert count == len(written["records"]) == 5
    assert written["dataset"]["name"] == f"dialogue-cube-{config}"
    settings = written["settings"]
    fields = {field["name"]: field for field in settings["fields"]}
    options = {q["name"]: {o["value"] for o in q["settings"]["options"]} for q in settings["questions"]}
    assert not any(field["settings"]["use_markdown"] for field in fields.values())
    assert {"personal_data", "keep"} < options["decision"]
    for record in written["records"]:
        assert record["metadata"]["source"] == source
        assert {name for name, field in fields.items() if field["required"]} <= record["fields"].keys() <= fields.keys()
        for name, suggestion in record["suggestions"].items():
            values = suggestion["value"] if isinstance(suggestion["value"], list) else [suggestion["value"]]
            assert set(values) <= options[name]
        for name, value in record["fields"].items():
            is_chat = fields[name]["settings"]["type"] == "chat"
            assert [set(message) for message in value] == [{"role", "content"}] * len(value) if is_chat else value


def test_decisions_go_there_and_come_back(database, tmp_path):
    path, out, back = tmp_path / "decisions.jsonl", tmp_path / "review", tmp_path / "back.jsonl"
    with open_database(database) as connection:
        sql = "SELECT utterance_id, utterance, label FROM downstream WHERE source = 'banking77' ORDER BY utterance_id LIMIT 2"
        (first, text, label), (second, *_) = connection.execute(sql).fetchall()
    append_decisions(path, [RowDecision("downstream", first, "wrong_label"), RowDecision("downstream", second, "keep")])
    command = ["argilla", "--config", "downstream", "--database", str(database), "--decisions", str(path)]
    result = CliRunner().invoke(app, [*command, "--out", str(out)])
    assert result.exit_code == 0, result.output
    records = read(out)["records"]
    assert [(r["id"], r["suggestions"]["decision"]["value"]) for r in records] == [
        (first, "wrong_label"),
        (second, "keep"),
    ]
    user = "00000000-0000-0000-0000-000000000000"
    records[0]["responses"] = {
        "decision": [{"value": "wrong_label", "user_id": user}],
        "labels": [{"value": [label], "user_id": user}],
    }
    (out / "records.json").write_text(json.dumps(records))
    command = ["argilla", "--config", "downstream", "--read", str(out / "records.json"), "--decisions", str(back)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert read_decisions(back).rows == (RowDecision("downstream", first, "wrong_label", (label,), text_digest(text)),)


def test_the_responses_of_people_are_not_replaced(database, tmp_path):
    """Argilla exports them to a folder of the same form."""
    out = tmp_path / "review"
    with open_database(database) as connection:
        for _ in range(2):
            export_argilla(connection, out, "pairs", sources=["camrest676"], most=2)
        records = read(out)["records"]
        records[1]["responses"] = {"decision": [{"value": "keep", "user_id": "1"}]}
        (out / "records.json").write_text(json.dumps(records))
        with pytest.raises(DataError, match=r"review: exists and was not made by `dialogue-cube argilla`"):
            export_argilla(connection, out, "pairs", sources=["camrest676"], most=2)
    assert read(out)["records"] == records


def test_sources_in_two_options_are_both_written(database, tmp_path):
    words = ["argilla", "--database", str(database), "--out", str(tmp_path / "review"), "--max-rows", "100000"]
    result = CliRunner().invoke(app, [*words, "--sources", "camrest676", "--sources", "woz"])
    assert result.exit_code == 0, result.output
    sources = {record["id"].partition("/")[0] for record in read(tmp_path / "review")["records"]}
    assert sources == {"camrest676", "woz"}


def test_a_wrong_selection_or_file_is_one_line(database, tmp_path):
    with open_database(database) as connection, pytest.raises(DataError, match="no row to review"):
        export_argilla(connection, tmp_path / "review", "pairs", sources=["nowhere"])
    assert not (tmp_path / "review").exists()
    (tmp_path / "records.json").write_text('[{"id": "a/1", "responses": {"decision": [{"value": "bad_pair"}]}}]')
    with pytest.raises(DataError, match="expected one of wrong_label"):
        read_argilla(tmp_path / "records.json", "downstream")
    (tmp_path / "records.json").write_text('[{"id": "a/1", "responses": []}]')
    with pytest.raises(DataError, match="damaged"):
        read_argilla(tmp_path / "records.json", "downstream")
