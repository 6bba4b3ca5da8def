"""The command `notebook`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def notebook(
    data: Annotated[str, typer.Option(help="Dataset folder made by `build`, or Hub dataset repository.")],
    html: Annotated[Path, typer.Option(help="HTML page to write.")],
) -> None:
    """Write an analysis of the intent sets (balance, lengths, languages, overlaps, hard labels) as one HTML page."""
    from rich.console import Console
    from rich.text import Text

    from dataset_builders.common.progress import step_bar
    from dataset_builders.notebooks.render import render

    with step_bar() as progress:
        render(data, html, progress)
    Console().print(Text(f"written: {html}"), soft_wrap=True)
