"""`dialogue-cube sources` and the page made by it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dataset_builders.sources.cli import markdown_table
from dataset_builders.sources.registry import builders
from dataset_builders.sources.terms import ACTS, Terms
from dialogue_cube import app

ROOT = Path(__file__).parents[3]


def names(*options):
    result = CliRunner().invoke(app, ["sources", "--json", *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return {row["name"] for row in json.loads(result.stdout)}


def test_filters_apply_together():
    every = names()
    assert every == set(builders())
    assert names("--kind", "intents") | names("--kind", "dialogues") == every
    russian = names("--language", "ru")
    assert {"russian_multiwoz", "minds14", "massive"} < russian
    assert "camrest676" not in russian
    assert names("--language", "ru", "--kind", "dialogues") == {
        name for name in russian if builders()[name].INFO.kind == "dialogues"
    }
    assert "frames" in every - names("--commercial")
    assert {"sgd", "crosswoz"} <= names("--annotated", "acts", "--annotated", "state")
    assert "russian_multiwoz" in names("--origin", "machine") - names("--origin", "human")
    assert names("--license", "CDLA-Permissive-1.0") == {"multidogo"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--kind", "pairs"),
        ("--license", "GPL"),
        ("--annotated", "moods"),
        ("--origin", "parrot"),
        ("--language", "Russian"),
    ],
)
def test_an_unknown_value_is_refused_with_the_known_ones(option, value):
    result = CliRunner().invoke(app, ["sources", option, value])
    assert result.exit_code != 0


def test_the_page_of_the_sources_is_made_by_the_command():
    page = (ROOT / "dataset_builders" / "SOURCES.md").read_text(encoding="utf-8")
    assert page.partition("\n## ")[2] == markdown_table([cls.INFO for cls in builders().values()]).removeprefix("## ")


def test_every_source_says_who_wrote_it_and_what_is_annotated_in_words_that_exist():
    for name, cls in builders().items():
        info = cls.INFO
        assert info.origin in ("human", "machine", "template", None), name
        assert set(info.coverage) <= set(info.configs), name
        for shares in info.coverage.values():
            assert set(shares) <= {"acts", "slots", "state", "domains"}, name
            assert all(0 < share <= 1 for share in shares.values()), name
        if info.terms:
            assert set(Terms.read(info.terms).common["act"].values()) <= set(ACTS), name
        pinned = [file.sha256 or file.git_blob or (file.members and file.members_of) for file in info.files]
        assert all(pinned) == (name not in NOT_PINNED), name


NOT_PINNED = {"frames"}
"""Nobody who has this archive states a digest of it; its licence is accepted by hand, and the first download remembered."""


@pytest.mark.parametrize("line", ["act\tgo\tfly away", "mood\ta\tb", "slot\ta\tb\nslot\ta\tc", "slot\ta"])
def test_a_wrong_table_of_terms_is_refused(line, tmp_path):
    path = tmp_path / "terms.tsv"
    path.write_text(line)
    with pytest.raises(ValueError, match=r"line \d"):
        Terms.read(path)
