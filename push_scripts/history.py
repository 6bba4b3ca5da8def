"""The history of a repository: a push does not replace a newer version by accident."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from push_scripts.errors import PushError

if TYPE_CHECKING:
    from huggingface_hub import GitCommitInfo

_NOTE = re.compile(r"Pushed by dialogue-cube (?P<program>\S+): (?P<label>.+)")


@dataclass(frozen=True)
class Version:
    """The version of the content that is pushed.

    Args:
        label: Name of exactly this content, such as `build 4142aea0649aa4b6`.
        program: Version of this project that made it.
    """

    label: str
    program: str

    @property
    def note(self) -> str:
        """Description of the commit; a later push reads it."""
        return f"Pushed by dialogue-cube {self.program}: {self.label}"

    @classmethod
    def of(cls, commit: GitCommitInfo) -> Version | None:
        """Return the version that a commit pushed; None if no push made the commit."""
        match = _NOTE.search(commit.message or "")
        return cls(match["label"].strip(), match["program"]) if match else None


def check_not_newer(repo_id: str, commits: Sequence[GitCommitInfo], version: Version) -> None:
    """Refuse to replace a newer version.

    The head of the branch is newer if no push made it (an edit or a merge on the website), if a later version of this
    project pushed it, or if it follows an earlier push of the same content. The commit that creates the repository does
    not count.

    Args:
        repo_id: `org/name`, for the message.
        commits: Commits of the branch, newest first.
        version: The version to push.

    Raises:
        PushError: The head is newer; the message names the commit.
    """
    if len(commits) < 2:
        return
    head, last = commits[0], Version.of(commits[0])
    advice = "nothing was overwritten; look at it, then push again with --overwrite to replace it"
    name = f"{head.title!r} ({head.commit_id[:8]})"
    if last is None:
        raise PushError(f"{repo_id}: the last commit {name} was not made by a push: {advice}")
    if _parts(last.program) > _parts(version.program):
        raise PushError(
            f"{repo_id}: the last commit {name} was pushed by dialogue-cube {last.program}, which is newer than "
            f"{version.program}: {advice}"
        )
    if version != last and any(Version.of(commit) == version for commit in commits[1:]):
        raise PushError(f"{repo_id}: {version.label} was pushed before, the last commit {name} is newer: {advice}")


def _parts(program: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", program))
