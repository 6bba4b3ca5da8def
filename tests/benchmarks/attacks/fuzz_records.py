"""Databases, and files that people and programs write line by line, for `fuzz.py` to damage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.attacks.fuzz_targets import ANSWERS, QUESTIONS, Target, digest, nothing, table_of


def record_targets(folder: Path) -> Iterator[Target]:
    """Files that people and programs write line by line: decisions, reviews, logs, suggestions, flows, databases."""
    from cube_model.assistant.unanswered import answered_rows, read_log
    from cube_model.data.own_utterances import texts_of_files, utterances_of_files
    from cube_model.flow.shown import shown_flow
    from dataset_builders.common.decisions import RowDecision, append_decisions, read_decisions
    from dataset_builders.corpus.build import build_dataset
    from dataset_builders.database.argilla import export_argilla, read_argilla
    from dataset_builders.database.asking import ask, open_any
    from dataset_builders.database.build import build_database
    from dataset_builders.own_data import load, own_builders

    folder.mkdir()
    (folder / "faq.csv").write_bytes(table_of([{"question": f"{q} {n}", "answer": f"{a} {n}"}
                                           for n in range(8) for q, a in zip(QUESTIONS, ANSWERS, strict=True)]))  # fmt: skip
    own = own_builders(load(folder / "faq.csv", "faq"), cache_dir=folder / "cache")
    build_dataset([], None, folder / "data", own=own, cache_dir=folder / "cache")
    database = folder / "corpus.duckdb"
    build_database(folder / "data", database)

    def read_database() -> object:
        with open_any(database) as connection:
            return digest(*(list(ask(connection, f"FROM {table} ORDER BY ALL")) for table in ("pairs", "turns")))

    yield Target("database", database, read_database)

    def read_with_sql() -> object:
        with open_any(data=folder / "data") as connection:
            return digest(
                *(list(ask(connection, f"FROM {table} ORDER BY ALL")) for table in ("pairs", "dialogs", "turns"))
            )

    yield from (Target("dataset", file, read_with_sql) for file in sorted((folder / "data").rglob("*.parquet")))
    decisions = folder / "decisions.jsonl"
    append_decisions(decisions, [RowDecision("pairs", f"faq/{n}#0", "bad_pair", note="no answer") for n in range(4)])
    append_decisions(decisions, [RowDecision("downstream", "a/1", "wrong_label", ("a/open",), "9f86d081884c7d65")])
    yield Target("records", decisions, lambda: nothing(read_decisions(decisions)))
    with open_any(database) as connection:
        export_argilla(connection, folder / "argilla", "pairs", sources=["faq"])
    records = folder / "argilla" / "records.json"
    exported = json.loads(records.read_text())
    for record in exported:
        record["responses"] = {"decision": [{"value": "bad_pair", "user_id": "1"}]}
    records.write_text(json.dumps(exported))
    yield Target("records", records, lambda: nothing(read_argilla(records, "pairs")))
    review = folder / "review.csv"
    head = "question,answer,count,similar,nearest,last"
    review.write_text(f'{head}\nIs it open?,"From ten, to six.",3,Open? | Is it?,When?,2026-01-31T12:00:00+00:00\n')
    yield Target("records", review, lambda: nothing(answered_rows(review)))
    log = folder / "unanswered.jsonl"
    log.write_text(
        '{"time": "2026-01-31T12:00:00+00:00", "question": "Who won?", "confidence": 0.1, "topics": []}\n' * 3
    )
    yield Target("records", log, lambda: nothing(read_log(log)))
    suggestions = folder / "suggestions.csv"
    suggestions.write_text(
        "text,intent,cluster,size,cohesion,similarity,representative\nIs it open?,open,1,2,.9,.9,yes\n"
    )
    yield Target(
        "records", suggestions, lambda: nothing((texts_of_files([suggestions]), utterances_of_files([suggestions])))
    )
    flow = folder / "flow"
    flow.mkdir()
    node = {
        "name": "u1",
        "speaker": "user",
        "count": 3,
        "dialogues": 3,
        "examples": ["Hello!"],
        "actions": [["greet", 3]],
    }
    edge = {"from": "u1", "to": "end", "probability": 1.0, "count": 3}
    facts = {"data": {"dialogues": 3, "turns": 3}, "true_graph": None, "main_path": ["u1"]}
    (flow / "flow.json").write_text(json.dumps({"command": "flow", **facts, "nodes": [node], "edges": [edge]}))
    (flow / "flow.html").write_text("<!doctype html><p>flow")
    yield Target("records", flow / "flow.json", lambda: nothing(shown_flow(flow)))
