"""A build that obeys the decisions of people about rows: exactly these rows change, whatever the number of processes."""

import hashlib
import json
from collections import Counter

import pyarrow.parquet as pq
import pytest

from dataset_builders.common.decisions import RowDecision, RowDecisions, append_decisions, text_digest
from dataset_builders.corpus.build import build_dataset
from dataset_builders.corpus.deciding import joined, row_texts
from dataset_builders.corpus.options import BuildOptions, build_options
from dataset_builders.corpus.settings import DatasetSettings, Selection
from dataset_builders.quality.config import QualityConfig
from dataset_builders.quality.report.read import read_report
from push_scripts.dataset_folder import without_sources

SOURCES = ["camrest676", "banking77"]
IDS = {"dialogues": "dialogue_id", "pairs": "pair_id", "downstream": "utterance_id"}


def rows_of(folder):
    """Rows by config and id."""
    tables = {config: [pq.read_table(path) for path in sorted((folder / config).glob("*.parquet"))] for config in IDS}
    return {c: {row[IDS[c]]: row for table in tables[c] for row in table.to_pylist()} for c in IDS}


def digests(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def build(sample_raw, cache_dir, tmp_path_factory):
    def run(decisions=(), num_proc=1, sources=SOURCES, **options):
        out, warnings = tmp_path_factory.mktemp("built") / "data", []
        build_dataset(
            sources,
            sample_raw,
            out,
            BuildOptions(same_intent=1, decisions=RowDecisions.last_of(decisions), **options),
            num_proc=num_proc,
            cache_dir=cache_dir,
            warn=warnings.append,
        )
        return out, warnings

    return run


@pytest.fixture(scope="module")
def plain(build):
    folder, _ = build()
    return folder, rows_of(folder)


@pytest.fixture(scope="module")
def decided(plain, build):
    """Decisions of all kinds, and the build that obeys them."""
    _, rows = plain
    dialogue, *_ = rows["dialogues"]
    pairs = [i for i, row in rows["pairs"].items() if row["dialogue_id"] not in (dialogue, None)]
    same = next(i for i, row in rows["pairs"].items() if row["pair_type"] == "same_intent")
    relabel, drop, moved, keep, new = [i for i, row in rows["downstream"].items() if i.startswith("banking77/test")][:5]
    label = next(
        row["label"] for row in rows["downstream"].values() if row["label"] != rows["downstream"][relabel]["label"]
    )

    def about(config, row_id, decision, **more):
        digest = text_digest(*row_texts(config, rows[config][row_id]))
        return RowDecision(config, row_id, decision, **{"text": digest, **more})

    decisions = [
        about("dialogues", dialogue, "personal_data"),
        about("pairs", pairs[0], "bad_pair"),
        about("pairs", same, "bad_pair"),
        about("pairs", pairs[1], "keep"),
        about("downstream", relabel, "wrong_label", labels=(label,)),
        about("downstream", new, "wrong_label", labels=("banking77/an_invented_label",)),
        about("downstream", drop, "wrong_label"),
        about("downstream", moved, "wrong_label", text=text_digest("what it said once")),
        about("downstream", keep, "keep"),
        RowDecision("pairs", "camrest676/nowhere#0", "bad_pair"),
        RowDecision("pairs", "elsewhere/1#0", "bad_pair"),
    ]
    folder, warnings = build(decisions)
    return decisions, folder, warnings


def test_exactly_the_decided_rows_change(plain, decided):
    _, before = plain
    decisions, folder, _ = decided
    after = rows_of(folder)
    by_kind = {(d.config, d.decision): d for d in decisions}
    gone = by_kind["dialogues", "personal_data"].id
    assert before["dialogues"].keys() - after["dialogues"].keys() == {gone}
    bad = {d.id for d in decisions if d.decision == "bad_pair"} & before["pairs"].keys()
    derived = {i for i, row in before["pairs"].items() if row["dialogue_id"] == gone}
    assert derived
    assert len(bad) == 2
    consecutive = {i for i, row in before["pairs"].items() if row["pair_type"] == "consecutive"}
    assert consecutive - after["pairs"].keys() == (bad & consecutive) | derived
    assert not bad & after["pairs"].keys()
    gone_utterances = before["downstream"].keys() - after["downstream"].keys()
    assert gone_utterances == {decisions[6].id}
    assert by_kind["downstream", "keep"].id in after["downstream"]
    labels = {d.id: d.labels for d in decisions if d.labels}
    for config, rows in after.items():
        assert rows.keys() <= before[config].keys()
        for row_id, row in rows.items():
            if row_id not in labels:
                assert row == before[config][row_id]
    for row_id, names in labels.items():
        row = after["downstream"][row_id]
        like = next((r for r in before["downstream"].values() if r["label"] == joined(names)), {})
        assert (row["label"], row["labels"]) == (joined(names), list(names))
        assert row["scenario"] == like.get("scenario")
        changed = {"label", "labels", "scenario", "flags"}
        assert {k: v for k, v in row.items() if k not in changed} == {
            k: v for k, v in before["downstream"][row_id].items() if k not in changed
        }


def test_the_report_counts_every_decision_and_names_those_that_match_nothing(decided):
    decisions, folder, warnings = decided
    report = json.loads((folder / "quality/report.json").read_text())
    assert report["decisions"] == {
        "banking77": {
            "bad_pair": {"dropped": 1},
            "keep": {"kept": 1},
            "wrong_label": {
                "dropped": 1,
                "relabelled": 1,
                "relabelled with a new label": 1,
                "text has changed": 1,
            },
            "not_obeyed": {"text has changed": [decisions[7].id]},
        },
        "camrest676": {
            "bad_pair": {"dropped": 1, "no such row": 1},
            "keep": {"kept": 1},
            "personal_data": {"dropped": 1},
            "not_obeyed": {"no such row": ["camrest676/nowhere#0"]},
        },
    }
    assert report["options"]["decisions"] == RowDecisions.last_of(decisions).digest
    lines = [line for line in warnings if line.startswith("decisions")]
    assert len(lines) == 3
    assert "2 of 11 match no row of this build: camrest676/nowhere#0, elsewhere/1#0" in lines[0]
    assert decisions[7].id in lines[1]
    assert "banking77" in lines[2]
    assert "elsewhere" not in json.dumps(report)
    assert list(without_sources(report, ["banking77"])["decisions"]) == ["camrest676"]
    assert read_report(folder).disagreements == []
    card = (folder / "README.md").read_text()
    assert "| banking77 | wrong label | relabelled | 1 |" in card
    assert "--decisions DECISIONS" in card


def test_personal_data_is_not_quoted_among_the_dropped_rows(decided):
    decisions, folder, _ = decided
    drops = {row["row_id"]: row for row in pq.read_table(folder / "quality/drops.parquet").to_pylist()}
    private, bad = drops[decisions[0].id], drops[decisions[1].id]
    assert (private["filter"], private["text"], private["value"]) == ("decision", None, decisions[0].id)
    assert (bad["filter"], bad["reason"]) == ("decision", "somebody marked it: bad pair")
    assert bad["text"]


@pytest.fixture(scope="module")
def strict(build):
    """A build that drops short dialogues, too, and its dropped rows."""
    quality = {"dialogue_length": {"action": "drop", "min_turns": 6}}
    options = {"quality": QualityConfig.of(quality, "test"), "sources": ["camrest676", "woz"]}
    folder, _ = build(**options)
    return folder, options, pq.read_table(folder / "quality/drops.parquet").to_pylist()


def test_keep_rescues_a_row_from_a_quality_filter_and_from_nothing_else(strict, build):
    before, options, drops = strict
    checks = {(row["config"], row["filter"], row["split"]): row for row in drops}
    rescued = {key: row for key, row in checks.items() if key[1] not in ("leak", "benchmark")}
    lost = {key: row for key, row in checks.items() if key[1] in ("leak", "benchmark")}
    assert {config for config, *_ in rescued} == {"dialogues", "pairs"}, checks.keys()
    assert "leak" in {check for _, check, _ in lost}
    decisions = [RowDecision(row["config"], row["row_id"], "keep") for row in (*rescued.values(), *lost.values())]
    kept = next(iter(rows_of(before)["pairs"]))
    stale = next(
        row for row in drops if row["row_id"] not in {d.id for d in decisions} and row["filter"] == "pair_length"
    )
    decisions += [RowDecision("pairs", kept, "keep"), RowDecision("pairs", stale["row_id"], "keep", text="0" * 16)]
    folder, warnings = build(decisions, **options)
    rows, was = rows_of(folder), rows_of(before)
    for (config, check, _), row in rescued.items():
        assert check in rows[config][row["row_id"]]["flags"]
        assert row["row_id"] not in was[config]
    gone = {row["row_id"] for row in pq.read_table(folder / "quality/drops.parquet").to_pylist()}
    assert {row["row_id"] for row in lost.values()} | {stale["row_id"]} <= gone
    dialogues = {row["row_id"] for (config, *_), row in rescued.items() if config == "dialogues"}
    ids = {row["row_id"] for row in rescued.values()}
    new = {i for config in rows for i in rows[config].keys() - was[config].keys()}
    derived = {i for i, row in rows["pairs"].items() if row["dialogue_id"] in dialogues}
    assert new == ids | derived
    for config, each in was.items():
        assert all(rows[config][row_id] == row for row_id, row in each.items())
    report = json.loads((folder / "quality/report.json").read_text())["decisions"]
    outcomes = sum((Counter(of_source["keep"]) for of_source in report.values()), Counter())
    assert outcomes == {"rescued": len(ids), "kept": 1, "text has changed": 1, "not rescued: leak": len(lost)}
    named = [i for of_source in report.values() for i in of_source["not_obeyed"].get("not rescued: leak", ())]
    assert set(named) == {row["row_id"] for row in lost.values()}
    assert any("no decision can keep" in line for line in warnings)
    again, _ = build(reversed(decisions), num_proc=2, **options)
    assert digests(again) == digests(folder)


def test_the_bytes_do_not_depend_on_the_processes_or_on_notes(decided, build, tmp_path):
    decisions, folder, _ = decided
    noted = [RowDecision(d.config, d.id, d.decision, d.labels, d.text, "a note", "2026-01-01") for d in decisions]
    again, _ = build(reversed(noted), num_proc=2)
    assert digests(again) == digests(folder)


def test_without_the_option_the_report_and_card_say_nothing_of_decisions(plain):
    folder, _ = plain
    report = json.loads((folder / "quality/report.json").read_text())
    assert "decisions" not in report
    assert "decisions" not in report["options"]
    assert "ecision" not in (folder / "README.md").read_text()


def test_the_option_names_the_file(tmp_path):
    path = tmp_path / "decisions.jsonl"
    append_decisions(path, [RowDecision("pairs", "camrest676/1#0", "bad_pair")])
    assert build_options(DatasetSettings(decisions=path), Selection()).decisions.by_id("pairs").keys() == {
        "camrest676/1#0"
    }
    assert not build_options(DatasetSettings(), Selection()).decisions
