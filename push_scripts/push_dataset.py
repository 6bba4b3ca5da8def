"""A built dataset folder -> a dataset repository on the Hub.

>>> from push_scripts.push_dataset import push_dataset
>>> push_dataset("OUT", "my-org/dialogue-corpus", dry_run=True)  # doctest: +SKIP
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from push_scripts.dataset_card import adapt_card, adapt_report
from push_scripts.dataset_folder import CARD, REPORT, SHARD_PATH, read_folder
from push_scripts.errors import PushError, explained
from push_scripts.hub import Published, Target, publish, require_token
from push_scripts.license_gate import GateReport, LicenseGate


@dataclass(frozen=True)
class PushedDataset:
    """What was pushed, or would be.

    Attributes:
        sizes: Path in the repository -> bytes.
        gate: Rows published and rows held back.
        published: Where it is now; None after a dry run.
    """

    sizes: dict[str, int]
    gate: GateReport
    published: Published | None


def push_dataset(
    data: str | Path,
    repo: str,
    *,
    private: bool = False,
    create_pr: bool = False,
    tag: str | None = None,
    revision: str | None = None,
    dry_run: bool = False,
    message: str | None = None,
) -> PushedDataset:
    """Publishes the rows of a built dataset that may be redistributed, in one commit.

    Only the known layout goes along (see `dataset_folder`); shards of an earlier push that are no longer part
    of the dataset are deleted by the same commit.

    Args:
        data: Folder that `dialogue-cube build` wrote. It is not changed.
        repo: `org/name`; made when missing.
        private: Make the repository private. Rows that may not be redistributed are held back all the same.
        create_pr: Open a pull request.
        tag: Name of this version.
        revision: Branch to commit to, instead of the main one.
        dry_run: Only say what would be done; no server is contacted.
        message: Title of the commit.

    Raises:
        PushError: No built dataset, no row may be published, or the Hub refused.
    """
    target = Target(repo, "dataset", private, create_pr, tag, revision, message or "Upload dataset")
    if not dry_run:
        require_token()
    folder, gate = read_folder(Path(data)), LicenseGate()
    with explained(repo, "the Hub"), tempfile.TemporaryDirectory(prefix="push-dataset-") as name:
        staged = Path(name)
        files = {
            path.relative_to(staged).as_posix(): path
            for (config, split), shards in folder.shards.items()
            for path in gate.admit(config, split, shards, staged / config)
        }
        if not files:
            raise PushError(
                f"--data {data}: nothing to push, none of its {sum(gate.report.held.values()):,} rows may be "
                f"redistributed (sources: {', '.join(gate.report.held_by_source())})"
            )
        for path, table in folder.notes.items():
            files[path] = staged / path
            gate.admit_notes(table, files[path])
        texts = {
            CARD: adapt_card(folder.card, repo, gate.report, files),
            REPORT: adapt_report(folder.report, gate.report, files),
        }
        for path, text in texts.items():
            files[path] = staged / path
            files[path].parent.mkdir(exist_ok=True)
            files[path].write_text(text, encoding="utf-8")
        sizes = {path: file.stat().st_size for path, file in sorted(files.items())}
        published = None if dry_run else publish(target, files, owned=SHARD_PATH)
    return PushedDataset(sizes, gate.report, published)


if __name__ == "__main__":
    from push_scripts.cli import run

    run("dataset")
