"""Push a built dataset folder to a dataset repository on the Hub.

>>> from push_scripts.push_dataset import push_dataset
>>> from push_scripts.push_options import PushOptions
>>> push_dataset("OUT", "my-org/dialogue-corpus", PushOptions(dry_run=True))  # doctest: +SKIP
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builders.card.card import dataset_card
from dataset_builders.common.files import temporary_folder
from dataset_builders.common.listing import walk
from dataset_builders.sources.raw_files import sha256
from push_scripts.dataset_folder import (
    CARD,
    OWNED,
    REPORT,
    DatasetFolder,
    check_unchanged,
    fingerprint_of,
    read_folder,
    without_sources,
)
from push_scripts.errors import PushError, explain_errors
from push_scripts.history import Version
from push_scripts.hub import Published, Target, publish, require_token
from push_scripts.last_check import refuse_held_back
from push_scripts.license_gate import GateReport, LicenseGate, link_or_copy
from push_scripts.push_options import PushOptions


@dataclass(frozen=True)
class PushedDataset:
    """A pushed dataset, or the one that a dry run would push.

    Attributes:
        sizes: Path in the repository -> size in bytes.
        card: Text of the dataset card.
        gate: Numbers of rows published and held back.
        published: Commit on the Hub; None after a dry run.
    """

    sizes: dict[str, int]
    card: str
    gate: GateReport
    published: Published | None


def push_dataset(
    data: str | Path,
    repo: str,
    options: PushOptions | None = None,
) -> PushedDataset:
    """Publish the rows of a built dataset that may be redistributed, in one commit.

    Only the files that `dataset_folder` lists are pushed, with a card for the published rows. The same commit deletes
    shards of an earlier push that are no longer part of the dataset.

    Args:
        data: Folder that `dialogue-cube build` wrote. It is not changed.
        repo: Repository, `org/name`; created if missing.
        options: How to push.

    Raises:
        PushError: The folder holds no built dataset, no row may be published, or the Hub refused.

    Example:
        >>> pushed = push_dataset("dataset", "ORG/corpus", PushOptions(dry_run=True))
        >>> "load_dataset" in pushed.card, pushed.published
        (True, None)
    """
    options = options or PushOptions()
    target = Target(repo, "dataset", options)
    if not options.dry_run:
        require_token()
    folder = read_folder(Path(data))
    with explain_errors(repo, "the Hub"), temporary_folder() as name:
        # links first: the gate reads and the push uploads the same files even if a new build replaces them meanwhile
        built, staged = Path(name, "built"), Path(name, "staged")
        gate = stage_rows(folder, built, staged)
        if not any(staged.rglob("*.parquet")):
            raise PushError(
                f"--data {data}: nothing to push, none of its {sum(gate.report.held_back.values()):,} rows may be "
                f"redistributed (sources: {', '.join(gate.report.held_back_by_source())})"
            )
        sources = folder.report.get("sources") or {}
        report = _published_report(folder.report, gate, staged)
        # the card names the licences of all sources, those held back too, and the command that builds all of them
        held_back = gate.report.held_back_by_source()
        card = dataset_card(staged, report | {"sources": sources}, repo_id=repo, held=held_back)
        for path, text in {CARD: card, REPORT: json.dumps(report, indent=1, ensure_ascii=False) + "\n"}.items():
            (staged / path).parent.mkdir(exist_ok=True)
            (staged / path).write_text(text, encoding="utf-8")
        files = {path.relative_to(staged).as_posix(): path for path in walk(staged)}
        refuse_held_back(files, gate.held_back)
        options.write_card(card)
        sizes = {path: file.stat().st_size for path, file in files.items()}
        version = Version(f"build {report.get('fingerprint', 'unknown')}", str(report.get("version", "0")))
        published = None if options.dry_run else publish(target, files, OWNED, version)
    return PushedDataset(sizes, card, gate.report, published)


def stage_rows(folder: DatasetFolder, built: Path, staged: Path) -> LicenseGate:
    """Write the rows, drops and clusters that may be published; if no row may be, write nothing.

    Args:
        folder: Files of the dataset.
        built: New folder for links to its parquet files.
        staged: New folder for the result.

    Returns:
        The gate, with the numbers of rows that pass and what is held back.

    Raises:
        PushError: A file was edited after the build.
    """
    shards = {
        (config, split): [link_or_copy(path, built / config / path.name) for path in paths]
        for (config, split), paths in folder.shards.items()
    }
    notes = {path: link_or_copy(table, built / path) for path, table in folder.notes.items()}
    rows = {path.relative_to(built).as_posix(): path for paths in shards.values() for path in paths}
    check_unchanged(folder.report, rows | notes)
    gate = LicenseGate(shards, list(notes.values()), folder.report.get("sources"))
    for (config, split), paths in shards.items():
        gate.admit(split, paths, staged / config)
    if any(staged.rglob("*.parquet")):
        for path, table in notes.items():
            gate.admit_notes(table, staged / path)
    return gate


def _published_report(report: Mapping[str, Any], gate: LicenseGate, staged: Path) -> dict[str, Any]:
    """Return `quality/report.json` with the digests and the fingerprint of the published rows.

    Of a source that is held back it keeps only the name and the number of rows that the build wrote.
    """
    digests = {path.relative_to(staged).as_posix(): sha256(path) for path in walk(staged) if path.suffix == ".parquet"}
    published = without_sources(report, gate.held_back.sources)
    if published == report and digests == report.get("files"):
        return published
    return {
        **published,
        "fingerprint": fingerprint_of(digests),
        "built_from": report.get("fingerprint"),
        "files": digests,
        "held_back": gate.report.held_back_by_source(),
    }
