"""Small JSON files, read in one place: whatever is wrong is one line with file, place and advice."""

import json

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.common.reading import is_text, misfit, read_json, text_lines
from dataset_builders.folder.report import load_report
from hub.invented import dialogue, write_dataset

DAMAGES = {
    "empty": (b"", "line 1, column 1"),
    "cut off": (b'{\n "format": "dialogue-c', "line 2, column 12"),
    "not UTF-8": (b'{"format": "\xff"}', "byte 12: not UTF-8"),
    "nested deeply": (b"[" * 100_000, "nested too deeply"),
    "an integer of 5,000 digits": (b'{"rows": ' + b"7" * 5_000 + b"}", "limit"),
    "a list": (b"[]", r"it is \[\] instead of an object"),
    "a number": (b"3", "it is 3 instead of an object"),
    "without a format": (b"{}", "`format` is missing"),
    "of something else": (b'{"format": "other", "fingerprint": ""}', "not the report of `dialogue-cube build`"),
}


@pytest.fixture
def folder(tmp_path):
    return write_dataset(tmp_path / "dataset", {("dialogues", "train"): [dialogue("1")]})


@pytest.mark.parametrize(("content", "place"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_report_is_one_line_with_file_place_and_advice(folder, content, place):
    (folder / "quality/report.json").write_bytes(content)
    with pytest.raises(DataError, match=rf"report.json: .*{place}.*; build it again$") as error:
        load_report(folder, "build it again")
    assert "\n" not in str(error.value)


ODD = [3, "x", [], [1], {"a": 3}, {"a": {"b": "c"}}, {"a": {"b": {"c": []}}}, True]


@pytest.mark.parametrize("name", ["sources", "rows", "leaks", "duplicates", "files", "options"])
def test_odd_values_in_a_report_are_refused_or_harmless(folder, name):
    """What `load_report` lets through has the form that its readers expect."""
    path = folder / "quality/report.json"
    report = json.loads(path.read_text())
    for value in ODD:
        path.write_text(json.dumps(report | {name: value}))
        try:
            problem = "" if isinstance(load_report(folder, "build it again")[name], dict) else "no table"
        except DataError as error:
            problem = str(error).replace(f"`{name}", "")
        assert "damaged (" in problem or not problem
    path.write_text(json.dumps(report | {name: None}))
    assert name not in load_report(folder, "build it again")


def test_missing_and_unreadable_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none.json: cannot be read \(No such file or directory\); write it"):
        read_json(tmp_path / "none.json", "write it")
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)"):
        read_json(tmp_path, "write it")


def test_forms_of_values():
    shape = {"name!": str, "size": (int, float), "parts": [{"file!": str}]}
    assert misfit({"name": "a", "size": 2.5, "parts": [{"file": "b"}], "other": 1}, shape) is None
    assert misfit({"name": "a", "size": None}, shape) is None
    assert misfit({"name": None}, shape) == "`name` is missing"
    assert misfit({"name": "a", "size": True}, shape) == "`size` is true instead of an integer or a number"
    assert misfit({"name": "a", "parts": [{"file": "b"}, {}]}, shape) == "`parts[1].file` is missing"
    assert misfit({"name": "a" * 99}, {"name": int}) == f'`name` is "{"a" * 39}... instead of an integer'


def test_lines_end_only_where_files_break_them():
    assert text_lines("a\u2028b\x0bc\x85d\ne\r\nf\rg") == ["a\u2028b\x0bc\x85d", "e", "f", "g"]
    assert text_lines("") == []
    assert text_lines("\n") == [""]


def test_half_of_a_character_is_no_text():
    assert is_text("naïve 🙂")
    assert not is_text("\ud83d")
