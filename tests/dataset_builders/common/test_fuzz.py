"""300 mutated inputs of the campaign in `benchmarks/fuzz.py`, always the same ones."""

import json

import pytest

from dataset_builders.own_data import load

pytest.importorskip("hypothesis")


def test_mutated_inputs_are_read_or_refused_with_one_line(tmp_path, monkeypatch):
    from benchmarks import fuzz

    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    results = fuzz.campaign(fuzz.make_targets(tmp_path / "files"), 300)
    assert sum(result.tried for result in results.values()) == 300
    assert {kind: dict(result.failures) for kind, result in results.items()} == {kind: {} for kind in results}
    assert all(result.refused for result in results.values())


@pytest.mark.parametrize("digits", [5_000, 70_000])
def test_a_number_of_thousands_of_digits_does_not_end_the_process(tmp_path, digits):
    """ijson's C library dereferences the integer that Python refused to make."""
    talk = [{"role": "user", "content": "Is it open?"}, {"role": "assistant", "content": "Yes."}]
    (tmp_path / "list.json").write_text(json.dumps([{"messages": talk, "id": 0}]).replace("0", "7" * digits))
    assert len(list(load(tmp_path / "list.json", max_bad_share=1))) == 1
