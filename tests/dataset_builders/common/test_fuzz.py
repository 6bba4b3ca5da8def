"""300 mutated inputs of the campaign in `benchmarks/attacks/fuzz.py`, always the same ones."""

import json

import pytest

from dataset_builders.own_data import load
from dataset_builders.sources.readers import RawDataError
from dataset_builders.sources.registry import get_builder

pytest.importorskip("hypothesis")


def test_mutated_inputs_are_read_or_refused_with_one_line(tmp_path, monkeypatch):
    from benchmarks.attacks import fuzz

    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    results = fuzz.campaign(fuzz.make_targets(tmp_path / "files", everything=False), 300)
    assert sum(result.tried for result in results.values()) == 300
    assert {kind: dict(result.failures) for kind, result in results.items()} == {kind: {} for kind in results}
    assert all(result.tried for result in results.values())
    assert sum(result.refused for result in results.values()) > 100


@pytest.mark.parametrize("digits", [5_000, 70_000])
def test_a_number_of_thousands_of_digits_does_not_end_the_process(tmp_path, digits):
    """ijson's C library dereferences the integer that Python refused to make."""
    talk = [{"role": "user", "content": "Is it open?"}, {"role": "assistant", "content": "Yes."}]
    (tmp_path / "list.json").write_text(json.dumps([{"messages": talk, "id": 0}]).replace("0", "7" * digits))
    assert len(list(load(tmp_path / "list.json", max_bad_share=1))) == 1


@pytest.mark.parametrize("label", [None, True, 3])
def test_a_label_that_is_no_text_names_the_file(tmp_path, label):
    rows = {split: [["is it open", "hours"], ["play", label]] for split in ("train", "val", "test")}
    empty = {f"oos_{split}": [] for split in rows}
    (tmp_path / "data_full.json").write_text(json.dumps(rows | empty))
    (tmp_path / "domains.json").write_text(json.dumps({"all": ["hours"]}))
    builder = get_builder("clinc150")(data_dir=tmp_path, cache_dir=tmp_path / "cache")
    shards = [(file, split) for split, files in builder.split_files.items() for file in files]
    with pytest.raises(RawDataError, match=r"data_full.json: "):
        list(builder._generate_tables(shards))
