"""The commands `sources` and `download`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dataset_builders.common.errors import DataError

if TYPE_CHECKING:
    from dataset_builders.sources.download import Progress
    from dataset_builders.sources.info import SourceFile, SourceInfo

LARGE = 50_000_000
"""Size from which `download` names a source, in bytes."""

_KINDS = {"dialogues": "dialogues", "intents": "downstream"}


def complete_source(incomplete: str) -> list[str]:
    """Offer the names of sources to the shell, and their configs after a colon."""
    from dataset_builders.sources.registry import builders

    infos = [builder.INFO for builder in builders().values()]
    names = [info.name for info in infos]
    if ":" in incomplete:
        names = [f"{info.name}:{config}" for info in infos for config in info.configs]
    return [name for name in names if name.startswith(incomplete)]


def sources(
    kind: Annotated[str | None, typer.Option(help="Only these: dialogues or intents.")] = None,
    language: Annotated[
        list[str] | None, typer.Option(help="Only sources in one of these languages; `en` includes `en-US`.")
    ] = None,
    license: Annotated[list[str] | None, typer.Option(help="Only sources under one of these licences.")] = None,
    commercial: Annotated[
        bool, typer.Option("--commercial", help="Only sources whose licence allows commercial use.")
    ] = False,
    annotated: Annotated[
        list[str] | None, typer.Option(help="Only sources with these annotations: acts, slots, state, domains.")
    ] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="Only texts written by: human, machine (a model), template.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
) -> None:
    """List the sources with their languages, licence, annotations and official size."""
    import json

    from dataset_builders.sources.registry import builders

    infos = [
        info
        for info in (builder.INFO for builder in builders().values())
        if _matches(info, kind, language or (), license or (), commercial, annotated or (), origin or ())
    ]
    if as_json:
        typer.echo(json.dumps([_as_json(info) for info in infos], indent=1, ensure_ascii=False))
    elif markdown:
        typer.echo(markdown_table(infos), nl=False)
    elif infos:
        _print_table(infos)
    else:
        typer.echo("no source is like that")


def _matches(
    info: SourceInfo,
    kind: str | None,
    languages: Sequence[str],
    licenses: Sequence[str],
    commercial: bool,
    annotated: Sequence[str],
    origins: Sequence[str],
) -> bool:
    from dataset_builders.common.languages import check_language
    from dataset_builders.licenses import LICENSES, get_license
    from dataset_builders.schema import ORIGINS
    from dataset_builders.sources.info import COVERAGE

    for values, allowed, what in (
        ([kind] if kind else [], _KINDS, "--kind"),
        (licenses, LICENSES, "--license"),
        (annotated, COVERAGE, "--annotated"),
        (origins, ORIGINS, "--origin"),
    ):
        for one in values:
            if one not in allowed:
                raise DataError(f"{what} {one}: expected one of {', '.join(allowed)}")
    for one in languages:
        check_language(one)
    prefixes = tuple(f"{one}-" for one in languages)
    return (
        (kind is None or info.kind == _KINDS[kind])
        and (not languages or any(f"{tag}-".startswith(prefixes) for tag in info.languages))
        and (not licenses or info.license in licenses)
        and (not commercial or get_license(info.license).commercial == "yes")
        and all(any(shares.get(one) for shares in info.coverage.values()) for one in annotated)
        and (not origins or info.origin in origins)
    )


def _as_json(info: SourceInfo) -> dict[str, Any]:
    from dataset_builders.licenses import get_license

    return {
        "name": info.name,
        "title": info.title,
        "kind": info.kind,
        "languages": list(info.languages),
        "license": info.license,
        "license_evidence": info.license_evidence,
        "license_disputed": info.license_disputed,
        "redistributable": info.redistributable,
        "commercial_use": get_license(info.license).commercial,
        "origin": info.origin,
        "coverage": info.coverage,
        "configs": list(info.configs),
        "official_counts": info.counts,
        "homepage": info.homepage,
        "notes": info.notes,
    }


def _annotations(info: SourceInfo, separator: str) -> str:
    """Annotations of the default config, or of the first that has some, with their shares."""
    from dataset_builders.sources.info import COVERAGE

    configs = [info.default_config, *info.configs]
    shares = next((info.coverage[config] for config in configs if info.coverage.get(config)), {})
    return separator.join(f"{kind} {shares[kind]:.0%}" for kind in COVERAGE if shares.get(kind))


def _languages(info: SourceInfo) -> str:
    return " ".join(info.languages) if len(info.languages) < 4 else f"{len(info.languages)} languages"


def _license(info: SourceInfo) -> str:
    return info.license.removeprefix("LicenseRef-") + ("*" if info.license_disputed else "")


def _print_table(infos: Sequence[SourceInfo]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from dataset_builders.licenses import get_license

    caption = (
        "use: may be passed on / used commercially; annotated: share of turns, for domains of dialogues; size of the "
        "default config; * disputed. --json has more: configs, splits, evidence, notes"
    )
    table = Table(box=box.SIMPLE_HEAD, padding=0, caption=caption)
    table.add_column("name", no_wrap=True)
    for column in ("languages", "licence", "use", "origin", "annotated"):
        table.add_column(column, overflow="fold")
    table.add_column("size", justify="right", no_wrap=True)
    for name, kind in _KINDS.items():
        rows = [info for info in infos if info.kind == kind]
        if rows:
            table.add_row(f"[bold]{name}[/bold]")
        for info in rows:
            use = f"{'yes' if info.redistributable else 'no'} / {get_license(info.license).commercial}"
            size = sum(next(iter(counts.values())) for counts in info.counts[info.default_config].values())
            cells = (
                _languages(info),
                _license(info),
                use,
                info.origin or "unknown",
                _annotations(info, "\n"),
                f"{size:,}",
            )
            table.add_row(info.name, *cells)
        table.add_section()
    Console().print(table)


def _size(info: SourceInfo, separator: str) -> str:
    counts = info.counts[info.default_config]
    if len(counts) > 6:
        return f"{len(counts)} parts {sum(next(iter(n.values())) for n in counts.values()):,}"
    return separator.join(f"{split} {next(iter(n.values())):,}" for split, n in counts.items())


def markdown_table(infos: Sequence[SourceInfo]) -> str:
    """The sources as Markdown, a table for each kind."""
    lines = []
    for kind, title in (("dialogues", "Dialogues"), ("downstream", "Intents")):
        rows = [info for info in infos if info.kind == kind]
        if rows:
            lines += [
                f"## {title}",
                "",
                "| source | languages | licence | origin | annotated | size |",
                "|---|" + "---|" * 5,
            ]
        for info in rows:
            cells = (
                _languages(info),
                _license(info),
                info.origin or "unknown",
                _annotations(info, ", "),
                _size(info, ", "),
            )
            lines.append(f"| [{info.name}]({info.homepage}) | {' | '.join(cells)} |")
        if rows:
            lines.append("")
    return "\n".join(lines)


def download(
    to: Annotated[Path, typer.Option(help="Raw folder, for `build --raw-dir`.")],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME[:CONFIG]]...",
            help="Sources (see `sources`). Default: all that need no licence to be accepted by hand.",
            autocompletion=complete_source,
        ),
    ] = None,
) -> None:
    """Download raw files from pinned addresses and verify them by their digests.

    What is there is skipped, and a transfer that broke off goes on. If a source fails, the others are still downloaded.
    """
    from dataset_builders.sources import download as downloads

    selection = downloads.fetched_automatically(names or [])
    plan = downloads.missing(selection, to)
    if plan:
        typer.echo(_plan_line(plan), err=True)
    with download_bars() as advance:
        files = downloads.download(selection, to, advance)
    typer.echo(f"{len(files)} files are in {to}")


def _plan_line(plan: Sequence[Any]) -> str:
    """What is downloaded, with the large sources by name."""
    files, size_known = sum(one.files for one in plan), sum(one.bytes or 0 for one in plan)
    unknown = [f"{one.name} of unknown size" for one in plan if one.bytes is None]
    large = [f"{one.name} {_megabytes(one.bytes)}" for one in plan if one.bytes is not None and one.bytes >= LARGE]
    named = f": {', '.join([*unknown, *large])}" if unknown or large else ""
    size = f"{_megabytes(size_known)}{' or more' if unknown else ''}"
    return f"to download: {files:,} files of {len(plan)} sources, {size}{named}"


def _megabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


@contextmanager
def download_bars() -> Iterator[Progress]:
    """A progress bar for each file, on the error stream."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    tasks: dict[SourceFile, TaskID] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, console=Console(stderr=True)) as bars:

        def advance(file: SourceFile, done: int, total: int | None) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(file.path)
            bars.update(tasks[file], completed=done, total=total)

        yield advance
