"""`dialogue-cube cache`: inspect the embedding cache and free disk space."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

cache_app = typer.Typer(no_args_is_help=True, help="Inspect the embedding cache or free disk space.")

Folder = Annotated[
    Path | None, typer.Option("--folder", help="Cache folder. Default: embeddings below DIALOGUE_CUBE_CACHE.")
]


@cache_app.command()
def info(folder: Folder = None) -> None:
    """Show the folder and the content of the cache, by teacher."""
    import datetime

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from cube_model.vectors.cache import indexes_folder, open_cache, other_files

    cache = open_cache(folder)
    shelves = cache.shelves()
    console = Console()
    console.print(Text(str(cache.folder)), soft_wrap=True)
    if shelves:
        heads = ("teacher", "finger-\nprint", "vector", "vectors", "MB", "ms per\ntext", "last use")
        table = Table(*heads, box=box.SIMPLE, pad_edge=False)
        table.columns[0].overflow = "fold"  # never truncated, so that it can be passed to `clear`
        for column in table.columns[2:6]:
            column.justify = "right"
        for shelf in sorted(shelves, key=lambda shelf: -shelf.bytes):
            table.add_row(
                Text(shelf.teacher or "unknown"),
                shelf.fingerprint[:8],
                f"{shelf.dimension} {shelf.precision.replace('float', 'fp')}",
                f"{shelf.vectors:,}",
                f"{shelf.bytes / 1e6:,.1f}",
                f"{shelf.seconds_per_text * 1e3:.2f}" if shelf.seconds_per_text else "unknown",
                datetime.datetime.fromtimestamp(shelf.last_use).date().isoformat(),
            )
        console.print(table)
    console.print(
        f"{sum(shelf.vectors for shelf in shelves):,} vectors, {cache.stats.bytes / 1e6:,.1f} MB "
        f"of at most {cache.max_bytes / 1e9:,.1f} GB (DIALOGUE_CUBE_CACHE_GB)"
    )
    indexes = [path for path in indexes_folder(cache.folder).rglob("*") if path.is_file()]
    if indexes:
        size = sum(path.stat().st_size for path in indexes) / 1e6
        console.print(f"{size:,.1f} MB of answer indexes in {indexes_folder(cache.folder)}", soft_wrap=True)
    if other := other_files(cache.folder):
        size = sum(path.stat().st_size for path in other) / 1e6
        console.print(f"{size:,.1f} MB of another version, unused; `cache clear` removes them")


@cache_app.command()
def clear(
    teacher: Annotated[
        str | None, typer.Option(help="Only vectors of this teacher: its name, or the start of its fingerprint.")
    ] = None,
    older_than: Annotated[
        float | None,
        typer.Option("--older-than", metavar="DAYS", min=0, help="Only vectors unused for this many days."),
    ] = None,
    folder: Folder = None,
) -> None:
    """Remove vectors: all of them, with the answer indexes; those of one teacher; or those not used for some time."""
    from cube_model.vectors.cache import clear_cache, open_cache

    cache = open_cache(folder)
    before = cache.stats.bytes
    removed = clear_cache(cache, teacher, older_than)
    typer.echo(f"removed {removed:,} vectors, {(before - cache.stats.bytes) / 1e6:,.1f} MB, from {cache.folder}")
