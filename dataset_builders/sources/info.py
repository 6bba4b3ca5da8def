"""Facts about a source, written beside its parser: licence, official counts, files to download."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dataset_builders import licenses
from dataset_builders.schema import Origin

COVERAGE = {"acts": "utterances", "slots": "utterances", "state": "utterances", "domains": "dialogues"}
"""Kinds of annotations whose coverage is counted, and what their share is a share of."""


@dataclass(frozen=True)
class SourceFile:
    """A raw file to download.

    Args:
        path: Path relative to the source's raw folder.
        url: Pinned address (a commit or version, never a branch).
        sha256: Hex SHA-256 of the content; None if only `git_blob` is known.
        git_blob: SHA-1 that git gives to the content.
        config: Config that needs the file; None for all configs.
        members: For an archive whose own bytes may change, as that of a commit on GitHub: `raw_files.members_digest` of
            the files `members_of`.
        members_of: Patterns of these files, those that the builder reads.
    """

    path: str
    url: str
    sha256: str | None = None
    git_blob: str | None = None
    config: str | None = None
    members: str | None = None
    members_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceInfo:
    """Facts about a source, defined next to its parser.

    Args:
        name: Short name, also the name of the raw folder and the prefix of every id.
        title: Full name.
        kind: `"dialogues"` or `"downstream"`.
        languages: BCP 47 tags of the data; the first is the default.
        license: Id in `licenses.LICENSES` as stated upstream, or `"unknown"`.
        license_evidence: File or address that states the licence.
        license_disputed: Source of a contradicting statement; empty if there is none.
        homepage: Address of a page about the source.
        citation: BibTeX entry.
        counts: Official sizes: config -> the source's own split name -> numbers of dialogues and utterances, or rows.
        files: Raw files to download.
        configs: Config name -> version of the upstream release; the first config is the default.
        accept_license: Whether the licence must be accepted by hand, so that the files are not downloaded
            automatically.
        notes: Known faults of the data, for the card.
        origin: Who wrote the texts, None if unknown. A row may have another one.
        coverage: Annotations of each config, measured on the official files: share of turns with `acts`, `slots` and
            `state`, share of dialogues with `domains`, 0 to 1; no key where there are none.
        small_talk: Labels of an intent set whose utterances, such as thanks, belong to no task: dialogues may contain
            their test utterances, which otherwise are kept out of training.
        terms: Table of the source's acts, domains and slots in words that all sources share, see `terms`; None if the
            source has none.
    """

    name: str
    title: str
    kind: Literal["dialogues", "downstream"]
    languages: tuple[str, ...]
    license: str
    license_evidence: str
    homepage: str
    citation: str
    counts: dict[str, dict[str, dict[str, int]]]
    configs: dict[str, str]
    files: tuple[SourceFile, ...] = ()
    license_disputed: str = ""
    accept_license: bool = False
    notes: str = ""
    origin: Origin | None = "human"
    coverage: dict[str, dict[str, float]] = field(default_factory=dict)
    small_talk: tuple[str, ...] = ()
    terms: Path | None = None

    @property
    def redistributable(self) -> bool:
        """Whether the licence allows redistribution of the rows."""
        return licenses.get_license(self.license).redistributable

    @property
    def default_config(self) -> str:
        """Config of `build NAME`."""
        return next(iter(self.configs))

    def files_of(self, config: str) -> tuple[SourceFile, ...]:
        """Files that a config needs."""
        return tuple(f for f in self.files if f.config in (None, config))

    def where_to_get(self, config: str) -> str:
        """Instruction for error messages: where to get the raw files."""
        files = self.files_of(config)
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        origin = f"{files[0].url}{more}" if files else self.homepage
        accept = f", read and accept its licence first ({self.license_evidence})" if self.accept_license else ""
        return f"get it from {origin}{accept}"


def file_table(module: str, url: str, config_of_folder: dict[str, str] | None = None) -> tuple[SourceFile, ...]:
    """Read the files of a source from `<module>_files.tsv`, with the columns path, `sha256` or `git_blob`, and digest.

    Args:
        module: `__file__` of the source's module.
        url: Common prefix of all addresses; the path follows.
        config_of_folder: Config that needs a file, by the first folder of its path; None if all configs need all files.
    """
    table = Path(module).with_name(f"{Path(module).stem}_files.tsv")
    rows = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()]
    folders = config_of_folder or {}
    return tuple(
        SourceFile(
            path,
            url + path,
            sha256=digest if kind == "sha256" else None,
            git_blob=digest if kind == "git_blob" else None,
            config=folders.get(path.partition("/")[0]),
        )
        for path, kind, digest in rows
    )
