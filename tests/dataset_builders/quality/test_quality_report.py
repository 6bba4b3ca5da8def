"""The quality report: its numbers, the terminal output, the HTML page, and errors for damaged folders."""

import dataclasses
import json
import re
import shutil
from html.parser import HTMLParser

import pytest
import typer
from typer.testing import CliRunner

from dataset_builders.common.errors import DataError
from dataset_builders.common.file_kinds import HTML_MARK
from dataset_builders.quality.cli import quality
from dataset_builders.quality.report import plots
from dataset_builders.quality.report.page import page, render, sections
from dataset_builders.quality.report.read import UNCHECKED, read_report
from support.quality_folder import FILTERS, with_quality

VOID = {"meta", "br", "img", "link", "hr", "input"}


@pytest.fixture(scope="module")
def folder(sample_dataset, tmp_path_factory):
    return with_quality(sample_dataset, tmp_path_factory.mktemp("report") / "corpus")


@pytest.fixture(scope="module")
def report(folder):
    return read_report(folder)


@pytest.fixture(scope="module")
def html(report):
    return page(report)


@pytest.fixture
def edited(folder, tmp_path):
    """A copy of the folder whose report.json was changed."""

    def edit(change):
        shutil.copytree(folder, tmp_path / "edited")
        path = tmp_path / "edited" / "quality" / "report.json"
        built = json.loads(path.read_text())
        change(built)
        path.write_text(json.dumps(built))
        return path.parents[1]

    return edit


def run(*arguments):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(quality)
    return CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"}).invoke(app, [str(a) for a in arguments])


class Structure(HTMLParser):
    """Elements, ids, references and texts of a page; `open` lists the unclosed elements."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.references, self.elements, self.text = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            elif name in ("href", "src", "xlink:href", "action", "data", "poster"):
                self.references.append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def table(report, key, number=0):
    (section,) = (section for section in sections(report) if section.key == key)
    return section.tables[number]


def test_rows_in_are_rows_out_and_dropped(report):
    assert report.disagreements == []
    rows = [dict(zip(table(report, "rows").columns, row, strict=True)) for row in table(report, "rows").rows]
    assert {row["kind"] for row in rows} == {"dialogues", "pairs", "downstream"}
    for row in rows:
        assert row["in"] == row["dropped"] + row["out"]
        assert row["kept"] == row["out"] / row["in"]
    for kind in FILTERS:
        of_kind = [row for row in rows if row["kind"] == kind]
        assert of_kind[-1]["source"] == "all"
        assert of_kind[-1]["in"] == sum(row["in"] for row in of_kind[:-1])


def test_the_report_of_a_build_agrees_with_its_files(sample_dataset):
    """Unlike the other tests, with the numbers of a real build rather than invented ones."""
    report = read_report(sample_dataset)
    assert report.disagreements == []
    assert report.built["rows"]["dialogues"]
    assert sum(row["rows"] for row in report.statistics["drop_counts"]) == sum(
        sum(counts["dropped"].values()) for sources in report.built["rows"].values() for counts in sources.values()
    )


def test_drops_by_filter(report):
    expected = {}
    for kind, sources in report.built["rows"].items():
        for counts in sources.values():
            for name, number in counts["dropped"].items():
                expected[kind, name] = expected.get((kind, name), 0) + number
    assert {(kind, name): rows for kind, name, rows, _ in table(report, "drops").rows} == expected


def test_leaks_before_and_after(report):
    rows = {row[:2]: row[2:] for row in table(report, "leaks").rows}
    assert rows["dialogue", "all"] == ("37 → 0", "37 → 0", "37 → 0")
    assert rows["text", "banking77"] == ("5 → 0", "0 → 0", "0 → 0")


def test_duplicates_between_corpora(report):
    first, last = "camrest676", "woz"
    built = report.built["rows"]["dialogues"]
    rows = table(report, "duplicates").rows
    assert ("dialogues", first, last, 12, 12 / built[first]["in"]) in rows
    utterances = sum(split["utterances"] for split in report.built["sources"][first]["original_splits"].values())
    assert ("utterances", first, last, 300, 300 / utterances) in rows
    assert not any(row[2] == "itself" for row in rows)
    assert any(row[2] == "itself" for row in table(report, "duplicates", 1).rows)
    assert "and 4 more" in table(report, "duplicates", 2).rows[0][-1]


def test_the_terminal_fits_80_columns(folder):
    done = run("--data", folder)
    assert done.exit_code == 0, done.output
    assert max(map(len, done.stdout.splitlines())) <= 80
    for title in ("Rows in and out", "Dropped rows", "Duplicates between corpora", "Leaks between splits", "Licences"):
        assert title in done.stdout
    assert "37 → 0" in done.stdout
    assert "add --html FILE" in done.stdout
    assert "…" not in done.stdout


def test_json_holds_all_numbers(folder, report, tmp_path):
    assert run("--data", folder, "--json", tmp_path / "new" / "report.json").exit_code == 0
    numbers = json.loads((tmp_path / "new" / "report.json").read_text())
    assert numbers["statistics"] == report.statistics
    assert numbers["leaks"] == report.built["leaks"]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["report.json"]


def test_the_page_is_well_formed_and_loads_nothing(html, report):
    structure = Structure(html)
    assert structure.open == []
    assert len(structure.ids) == len(set(structure.ids))
    assert {section.key for section in sections(report)} <= set(structure.ids)
    assert "script" not in structure.elements
    assert structure.references
    for reference in structure.references:
        assert reference.startswith(("#", "data:image/png;base64,")), reference
        assert not reference.startswith("#") or reference[1:] in structure.ids
    assert not re.search(r"@import|url\((?!#)", html)
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(structure.ids)
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html
    assert HTML_MARK in html[:1000]  # the next report replaces it


def test_the_page_shows_every_number_of_the_tables(html, report):
    text = {" ".join(piece.split()) for piece in Structure(html).text}
    for section in sections(report):
        assert section.title in text
        for shown in section.tables:
            for row in shown.texts():
                assert {" ".join(cell.split()) for cell in row} <= text | {""}


def test_texts_of_rows_are_escaped(html):
    assert "<b>" not in html
    assert re.search(r"&lt;b&gt;\d+&lt;/b&gt;", html)


def test_every_section_with_plots_has_them(html):
    structure = Structure(html)
    # drops: 3 kinds; duplicates: 3; leaks; dialogues: 2; pairs: at least 2; class balance; languages: 2; licences
    assert structure.elements.count("figure") == structure.elements.count("svg") >= 15
    text = " ".join(structure.text)
    for label in ("words per utterance", "turns per dialogue", "words of the anchor", "share of rows", "leaking rows"):
        assert label in text


def test_plots_follow_the_colours_of_the_page(html):
    assert "currentColor" in html
    assert plots.INK not in html


def test_equal_folders_give_equal_bytes(folder, html, report, monkeypatch):
    import matplotlib as mpl

    monkeypatch.setitem(mpl.rcParams, "font.size", 30)  # a user's own settings have no effect
    again = read_report(folder)
    assert again.to_json() == report.to_json()
    assert page(again) == html


def test_a_page_with_private_rows_has_a_warning(report, html):
    assert "do not share it" not in html
    example = {**report.statistics["drop_examples"][0], "redistributable": False, "license": "LicenseRef-private"}
    with_private = {**report.statistics, "drop_examples": [example]}
    private = render(dataclasses.replace(report, statistics=with_private), {})
    assert re.search(r"quotes rows that may not be redistributed \(LicenseRef-private\): do not share it", private)


def test_a_report_without_quality_checks_shows_the_rest(edited):
    def forget(built):
        for key in ("rows", "leaks", "duplicates"):
            built.pop(key)
        built["files"] = {name: digest for name, digest in built["files"].items() if not name.startswith("quality")}

    old = edited(forget)
    (old / "quality" / "drops.parquet").unlink()
    (old / "quality" / "clusters.parquet").unlink()
    done = run("--data", old)
    assert done.exit_code == 0, done.output
    assert done.stdout.count(UNCHECKED) == 1
    assert "Licences" in done.stdout
    assert UNCHECKED in render(read_report(old), {})


def test_disagreements_with_the_files_are_an_error(edited):
    def lie(built):
        built["rows"]["dialogues"]["sgd"]["out"] += 1
        built["rows"]["pairs"]["woz"]["dropped"]["leak"] += 2
        built["rows"]["downstream"]["banking77"]["flagged"]["seen"] = 1

    wrong = edited(lie)
    done = run("--data", wrong)
    assert done.exit_code == 1
    text = " ".join(done.stderr.split())
    assert re.search(r"warning: dialogues of sgd: \d+ rows in, but \d+ out and \d+ dropped", text)
    assert re.search(r"dialogues of sgd: the report says \d+ rows, the files have \d+", text)
    assert re.search(r"pairs of woz: the report says \d+ rows dropped by leak, the files have \d+", text)
    assert "downstream of banking77: the report says 1 rows flagged by seen, the files have 0" in text
    assert "disagrees with its files" in render(read_report(wrong), {})


def test_only_intents(folder, edited, tmp_path):
    """Sections about dialogues are omitted if there are no dialogues."""

    def forget(built):
        built["files"] = {
            name: digest for name, digest in built["files"].items() if name.startswith(("downstream", "quality/drops"))
        }
        built["rows"] = {"dialogues": {}, "pairs": {}, "downstream": built["rows"]["downstream"]}
        built["leaks"] = {"before": {}, "after": {}}
        built["duplicates"] = {}

    part = edited(forget)
    for name in ("dialogues", "pairs"):
        shutil.rmtree(part / name)
    (part / "quality" / "clusters.parquet").unlink()
    done = run("--data", part, "--html", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    assert Structure((tmp_path / "page.html").read_text()).open == []


def test_no_dataset_folder(tmp_path, folder):
    with pytest.raises(DataError, match=r"^no folder .*absent; make one with `dialogue-cube build`$"):
        read_report(tmp_path / "absent")
    with pytest.raises(DataError, match=r"has no quality/report.json; name a folder made by `dialogue-cube build`"):
        read_report(tmp_path)
    (tmp_path / "quality").mkdir()
    damaged, another = r"damaged \(.*\)", "not the report of `dialogue-cube build`"
    for text, fault in (("", damaged), ("[]", damaged), ('{"format": "another"}', another), ("{", damaged)):
        (tmp_path / "quality" / "report.json").write_text(text)
        with pytest.raises(DataError, match=f"report.json: {fault}; build the folder again with `dialogue-cube build`"):
            read_report(tmp_path)


def test_a_missing_shard_is_named(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "part")
    next((tmp_path / "part" / "pairs").glob("test-*.parquet")).unlink()
    with pytest.raises(DataError, match=r"pairs.test-00000-of-00001.parquet is missing \(1 of \d+ files\)"):
        read_report(tmp_path / "part")


def test_a_missing_plot_library_is_named(report, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DataError, match=r"pip install 'dialogue-cube\[report\]'"):
        page(report)


def test_short_numbers():
    assert [plots.short(n) for n in (0, 7, 999, 1000, 9940, 12_345, 2_500_000)] == [
        "0", "7", "999", "1.0k", "9.9k", "12k", "2.5M",
    ]  # fmt: skip
