"""The analysis notebook is stored without outputs, runs on the invented sample and is rendered as one page."""

import json
import re
from collections import Counter
from importlib.resources import files

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.notebooks import render as rendering
from dataset_builders.notebooks.render import NAME, execute, render
from support.quality_folder import rows


@pytest.fixture(scope="module")
def executed(sample_dataset):
    steps = []
    notebook = execute(sample_dataset, lambda *step: steps.append(step))
    code = sum(cell.cell_type == "code" for cell in notebook.cells)
    assert len(steps) >= code
    return notebook


def outputs(notebook, kind):
    return [output for cell in notebook.cells for output in cell.get("outputs", []) if output.output_type == kind]


def table(notebook, heading):
    """Return the text of the first table below a heading."""
    below = False
    for cell in notebook.cells:
        below = below or heading in cell.source
        for output in cell.get("outputs", []):
            if below and "text/plain" in output.get("data", {}) and "text/html" in output.data:
                return output.data["text/plain"]
    raise AssertionError(heading)


def test_the_notebook_is_stored_without_outputs():
    stored = json.loads(files("dataset_builders.notebooks").joinpath(NAME).read_text(encoding="utf-8"))
    code = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
    assert code
    for cell in code:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
    assert set(stored["metadata"]) == {"kernelspec", "language_info"}


def test_the_notebook_runs_without_warnings(executed):
    streams = outputs(executed, "stream")
    assert [stream.text for stream in streams if stream.name == "stderr"] == []
    pictures = [o for o in outputs(executed, "display_data") if "image/png" in o.data]
    assert len(pictures) >= 5


def test_the_numbers_are_those_of_the_rows(executed, sample_dataset):
    utterances = rows(sample_dataset, "downstream")
    labels, languages = ({row[name] for row in utterances} for name in ("label", "language"))
    (first, *_) = outputs(executed, "stream")
    assert first.text == f"{len(utterances):,} utterances, {len(labels):,} labels, {len(languages)} languages\n"
    size = table(executed, "## Sizes")
    for source, number in Counter(row["source"] for row in utterances).items():
        (line,) = [line for line in size.splitlines() if line.startswith(source)][:1]
        assert str(number) in line.split()


def test_word_overlap_on_a_few_rows(executed):
    import numpy as np
    import pandas as pd

    (source,) = [cell.source for cell in executed.cells if "def by_overlap" in cell.source]
    names = {"np": np, "pd": pd}
    exec(re.match(r"def by_overlap.*?return guesses\n", source, re.DOTALL)[0], names)
    train = pd.DataFrame(
        {"label": ["s/a", "s/a", "s/b", "s/b"], "plain": ["send my card", "card please", "play a song", "song please"]}
    )
    test = pd.DataFrame({"plain": ["the card", "a song please", "nothing known", ""]})
    assert names["by_overlap"](train, test) == ["s/a", "s/b", None, None]


def test_the_page_contains_its_plots(executed, sample_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(rendering, "execute", lambda *_: executed)
    for _ in range(2):  # an earlier page is replaced
        render(sample_dataset, tmp_path / "pages" / "report.html")
    page = (tmp_path / "pages" / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") >= 5
    assert "Balance of the labels" in page
    top = page[page.index("Findings") : page.index(">Sizes")]
    assert f"<strong>{len(rows(sample_dataset, 'downstream')):,} utterances</strong>" in top
    assert "Difficulty" in top
    assert "<script" not in page, "no script, so none from a network"
    assert not re.findall(r"""(?:src|href)=["']https?:""", page)
    assert [path.name for path in (tmp_path / "pages").iterdir()] == ["report.html"]


def test_errors_are_explained_in_one_line(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="has no intent set; build it with one"):
        execute(tmp_path)
    (tmp_path / "downstream").mkdir()
    (tmp_path / "downstream" / "train-00000-of-00001.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"downstream_analysis\.ipynb on .*: \w+: ") as caught:
        execute(tmp_path)
    assert "\n" not in str(caught.value)
