"""Execute a notebook on a dataset, and write it as one HTML page."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.common.file_kinds import HTML_FILE, HTML_MARK
from dataset_builders.common.outputs import output_file

NAME = "downstream_analysis.ipynb"

_TEMPLATE = """{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}HTML_MARK{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
""".replace("HTML_MARK", HTML_MARK)
"""The page of nbconvert with our mark, and without its scripts, which come from a network: nothing is interactive."""

FINDINGS = "findings"
"""Tag of the cells that sum up the others."""

CELL_SECONDS = 900
"""Maximum time of a cell, in seconds."""

Progress = Callable[[str, int, int], None]
"""Called with the name of the current cell, the number of finished cells and of all cells."""


def render(data: str | Path, html: str | Path, progress: Progress | None = None) -> None:
    """Execute the analysis of the intent sets and write it as an HTML page, findings first, that needs no network.

    Args:
        data: A folder made by `dialogue-cube build` with an intent set, or a Hub dataset repository.
        html: Path of the page; an earlier page of this function is replaced at the end.
        progress: Called before each cell.

    Raises:
        DataError: A package is missing, the dataset cannot be read, or a cell fails.
    """
    with output_file(html, HTML_FILE) as file:
        notebook = execute(data, progress)
        from nbconvert import HTMLExporter

        exporter = HTMLExporter(
            raw_template=_TEMPLATE, embed_images=True, exclude_input_prompt=True, exclude_output_prompt=True
        )
        page, _ = exporter.from_notebook_node(findings_first(notebook))
        file.write_text(page, encoding="utf-8")


def findings_first(notebook: Any) -> Any:
    """Return an executed notebook with its findings below the title, without their code.

    Args:
        notebook: An `nbformat.NotebookNode`; its cells of the findings come last, as they need the others' figures.
    """
    from nbformat.v4 import new_markdown_cell

    first, rest = [], []
    for cell in notebook.cells:
        if FINDINGS not in cell.metadata.get("tags", ()):
            rest.append(cell)
        elif cell.cell_type == "markdown":
            first.append(cell)
        else:
            first += [new_markdown_cell(output.data["text/markdown"]) for output in cell.outputs]
    page = copy.copy(notebook)
    page["cells"] = [rest[0], *first, *rest[1:]]
    return page


def execute(data: str | Path, progress: Progress | None = None) -> Any:
    """Execute the notebook; arguments and errors are those of `render`.

    Returns:
        The executed notebook, a `nbformat.NotebookNode`.
    """
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    except ImportError as error:
        raise DataError(f"{error.name} is not installed; run: pip install 'dialogue-cube[notebook]'") from None
    place = Path(data)
    if place.exists() and not any(place.glob("downstream/*.parquet")):
        raise DataError(f"{data} has no intent set; build it with one, such as `dialogue-cube build banking77 ...`")
    notebook = nbformat.reads(files("dataset_builders.notebooks").joinpath(NAME).read_text(encoding="utf-8"), 4)
    total = len(notebook.cells)

    def begins(cell: Any, cell_index: int) -> None:
        if progress is not None:
            progress(f"cell {cell_index + 1}", cell_index, total)

    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=40"],
        on_cell_start=begins,
    )
    environment = {
        **os.environ,
        # absolute, because the kernel starts in another folder
        "DIALOGUE_CUBE_DATA": str(place.resolve() if place.exists() else data),
        "PYTHONWARNINGS": "ignore:IProgress not found",  # a page needs no progress bars
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    try:
        return client.execute(env=environment)
    except CellTimeoutError:
        raise DataError(f"a cell of {NAME} took more than {CELL_SECONDS} s; use a smaller dataset") from None
    except DeadKernelError:
        raise DataError(
            f"the process that executes {NAME} died, probably for lack of memory; use a smaller dataset"
        ) from None
    except CellExecutionError as error:
        lines = error.evalue.strip().splitlines() or [error.ename]
        raise DataError(f"{NAME} on {data}: {error.ename}: {lines[0][:300]}") from error
