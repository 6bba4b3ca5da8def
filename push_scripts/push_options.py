"""How to publish: the options of every `dialogue-cube push` command and `push_*` function."""

from __future__ import annotations

from dataclasses import dataclass

from dataset_builders.common.options import Options, option
from push_scripts.errors import PushError


@dataclass(frozen=True)
class PushOptions(Options, error=PushError):
    """How to push to a repository on the Hub.

    Raises:
        PushError: The options contradict each other.

    Example:
        >>> PushOptions(tag="v1.0", create_pr=True)
        Traceback (most recent call last):
        push_scripts.errors.PushError: --create-pr and --tag exclude each other: tag the version after the merge
    """

    private: bool = option(
        False,
        "Make the repository private. Rows that may not be redistributed are held back all the same.",
        flags=("--private",),
    )
    create_pr: bool = option(
        False, "Open a pull request against the main branch instead of committing.", flags=("--create-pr",)
    )
    tag: str | None = option(None, "Name of this version, such as v1.0.", none="none")
    revision: str | None = option(None, "Branch to commit to, created if missing.", none="the main branch")
    message: str | None = option(
        None, "Title of the commit.", flags=("--message", "-m"), none="Upload dataset, model or space"
    )
    overwrite: bool = option(False, "Replace a revision that is newer than what is pushed.", flags=("--overwrite",))
    dry_run: bool = option(False, "List what would be uploaded; no server is contacted.", flags=("--dry-run",))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.create_pr and self.revision:
            raise PushError("--create-pr opens a pull request against the main branch: leave out --revision")
        if self.create_pr and self.tag:
            raise PushError("--create-pr and --tag exclude each other: tag the version after the merge")
