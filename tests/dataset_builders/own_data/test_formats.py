"""Every format of own data: its samples give the expected rows, and no other format takes them."""

import shutil
from pathlib import Path

import pytest

from dataset_builders.own_data.containers.inputs import find_all
from dataset_builders.own_data.containers.text_encoding import detect_encoding
from dataset_builders.own_data.formats.registry import all_formats
from dataset_builders.own_data.probe import Probe
from support.layouts import table
from support.own_samples import SAMPLES, cases, expected_of, options_of, rendered

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.parent.name}/{case.name}")
def test_samples_give_the_expected_rows(case):
    text, data = rendered(case, **options_of(case))
    assert text == expected_of(case)
    assert case.parent.name in {own.format.name for own in data.files if own.format} | {"plain"}


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.parent.name}/{case.name}")
def test_a_sample_is_recognised_by_one_format_only(case):
    for file in find_all(case).data:
        probe = Probe(file, detect_encoding(file))
        assert [f.name for f in all_formats() if f.recognises(probe)] in ([case.parent.name], [])


def test_every_format_has_a_sample_and_says_how_it_looks():
    sampled = {path.name for path in SAMPLES.iterdir()}
    assert {f.name for f in all_formats()} - sampled == set()
    assert not [f.name for f in all_formats() if not f.looks or len(f.checked) < 20]


def test_a_zipped_export_gives_the_same_rows(tmp_path):
    for name in ("slack", "dialogflow"):
        case = next(case for case in cases() if case.parent.name == name and case.is_dir())
        archive = shutil.make_archive(str(tmp_path / name), "zip", case)
        assert rendered(archive, **options_of(case))[0] == expected_of(case)


def test_the_page_of_formats_is_current():
    assert (ROOT / "dataset_builders" / "own_data" / "FORMATS.md").read_text(encoding="utf-8") == table()
