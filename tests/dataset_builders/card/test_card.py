"""The dataset card of a build: correct, complete and well-formed, with examples that run."""

import ast
import re

import pyarrow.parquet as pq
import pytest
import yaml
from markdown_it import MarkdownIt

from dataset_builders.card.views import STORED
from dataset_builders.licenses import get_license
from dataset_builders.schema import COLUMNS, CONFIGS, FEATURES, SPLITS
from dataset_builders.sources.registry import builders


@pytest.fixture(scope="module")
def card(sample_dataset):
    return (sample_dataset / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tables(card):
    """Rows of the tables below each heading, as rendered."""
    rows_of_heading, heading, row = {}, "", None
    tokens = MarkdownIt("commonmark").enable("table").parse(card.split("---\n", 2)[2])
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "inline" and before.type == "heading_open":
            heading = token.content
        elif token.type == "tr_open":
            row = []
            rows_of_heading.setdefault(heading, []).append(row)
        elif token.type == "inline" and row is not None and before.type in ("td_open", "th_open"):
            row.append(token.content)
    return rows_of_heading


def rows_of(folder, config, split="*"):
    shards = folder.glob(f"{config}/{split}-*.parquet")
    return [row for path in shards for row in pq.read_table(path, columns=["source", "license", "flags"]).to_pylist()]


def test_every_table_is_rendered_as_a_table(card, tables):
    """A broken table would show its bars in a paragraph."""
    page = MarkdownIt("commonmark").enable("table").render(card.split("---\n", 2)[2])
    assert not re.search(r"<p>[^<]*\|---", page)
    assert all(len(set(map(len, rows))) <= 2 for rows in tables.values())


def test_sizes_are_those_of_the_files(sample_dataset, tables):
    _, *rows = tables["Dialogue corpus"]
    shown = {name.split("`")[1]: [int(count.replace(",", "") or 0) for count in counts] for name, _, *counts in rows}
    assert list(shown) == ["pairs", "messages", "banking77", "clinc150", "pairs-full", "dialogues", "downstream"]
    for config, name in STORED.items():
        assert shown[name] == [len(rows_of(sample_dataset, config, s)) for s in SPLITS]
    assert shown["pairs"] == shown["pairs-full"]
    assert shown["banking77"] == [
        sum(row["source"] == "banking77" for row in rows_of(sample_dataset, "downstream", s)) for s in SPLITS
    ]
    assert rows[0][0] == "`pairs` (default)"


def test_every_source_has_licence_counts_and_citation(sample_dataset, card, tables):
    head, *rows = [row for row in tables["Sources and licences"] if len(row) > 3]
    by_name = {re.search(r"\(`(\w+)`", row[0])[1]: dict(zip(head, row, strict=True)) for row in rows}
    pairs = rows_of(sample_dataset, "pairs")
    assert set(by_name) == {row["source"] for config in CONFIGS for row in rows_of(sample_dataset, config)}
    for name, shown in by_name.items():
        info = builders()[name].INFO
        assert info.license in shown["licence"]
        assert shown["evidence"]
        assert info.title in shown["source"]
        assert shown["cite"]
        assert all(f"{{{key}," in card for key in shown["cite"].split(", "))
        count = sum(row["source"] == name for row in pairs)
        assert int(shown["pairs"].replace(",", "") or 0) == count


def test_licences_are_the_union_and_share_alike_is_named(sample_dataset, card):
    header = yaml.safe_load(card.split("---\n")[1])
    licenses = {row["license"] for config in CONFIGS for row in rows_of(sample_dataset, config)}
    assert header["license"] == sorted({get_license(name).hub_id for name in licenses})
    assert "| CC-BY-SA-4.0 | yes | name the authors; **share alike**" in card
    assert "Share-alike rows come from `sgd`" in card


def test_every_column_is_explained(tables):
    for config in CONFIGS:
        _, *rows = tables[f"`{STORED[config]}`"]
        assert [row[0].strip("`") for row in rows] == list(FEATURES[config])
        assert all(kind and len(meaning) > 5 and example for _, kind, meaning, example in rows)
        assert set(COLUMNS[config]) == set(FEATURES[config])


def test_quality_leaks_build_and_faults(sample_dataset, card, tables):
    shown = [row for row in tables["Quality and leaks"] if len(row) == 4 and row[0].startswith("`")]
    flags = [flag for config in CONFIGS for row in rows_of(sample_dataset, config) for flag in row["flags"]]
    assert {row[0].strip("`") for row in shown} == set(flags)
    assert sum(int(cell.replace(",", "")) for row in shown for cell in row[1:] if cell) == len(flags)
    assert "before, in the sources' own splits" in card
    assert "dialogue-cube build camrest676:default multiwoz:2.2" in card
    assert "## Known faults" in card
    assert "**woz**, as published: In German and Italian" in card


@pytest.mark.slow
def test_the_examples_run(sample_dataset, card, tmp_path, monkeypatch):
    """On the folder itself, which `load_dataset` opens like the repository."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    examples = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    shown, columns = (code.replace("ORG/NAME", str(sample_dataset)) for code in (examples[0], examples[-1]))
    scope = {}
    exec(columns, scope)
    assert scope["questions"].column_names == ["anchor", "positive", "license"]
    assert 0 < len(scope["questions"]) < len(rows_of(sample_dataset, "pairs", "train"))
    calls = re.findall(r"^(load_dataset.*)\n((?:# .*\n)+)", shown, re.MULTILINE)
    assert [re.findall('"(.*?)"', call)[1] for call, _ in calls] == [
        *("pairs", "messages", "banking77", "clinc150", "dialogues")
    ]
    for call, comment in calls:  # a row, and for a class its name
        lines = [line.removeprefix("# ") for line in comment.splitlines()]
        row, meaning = (lines[:-1], lines[-1]) if "label" in comment else (lines, "")
        value = eval(call, scope)
        assert value == ast.literal_eval("\n".join(row))
        if meaning:
            label = eval(call.rpartition("[")[0], scope).features["label"]
            assert meaning == f"{value['label']} is {label.int2str(value['label'])}"
    without_sa = scope["load_dataset"](
        str(sample_dataset), "pairs-full", split="train", filters=[("license", "not in", ["CC-BY-SA-4.0"])]
    )
    assert "CC-BY-SA-4.0" not in without_sa.unique("license")
    assert len(without_sa) > 0
