"""What stands in a repository already: an older build must not replace a newer one unasked."""

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
    """What is pushed.

    Args:
        label: Names exactly this content: `build 4142aea0649aa4b6`.
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
        """What a commit of ours pushed; None for somebody else's commit."""
        found = _NOTE.search(commit.message or "")
        return cls(found["label"].strip(), found["program"]) if found else None


def check_not_newer(repo_id: str, commits: Sequence[GitCommitInfo], version: Version) -> None:
    """Refuses to replace what came after the version to push.

    Newer is: a commit that was not made by a push (an edit on the website, or a pull request that was merged there); a
    push by a later version of this project; and anything after an earlier push of this very build. The commit that
    makes a repository does not count.

    Args:
        repo_id: Named in the message.
        commits: The branch's, newest first.
        version: What is to be pushed.

    Raises:
        PushError: It says which commit is newer.
    """
    if len(commits) < 2:
        return
    head, last = commits[0], Version.of(commits[0])
    overwrites = "nothing was overwritten; look at it, then push again with --overwrite to replace it"
    name = f"{head.title!r} ({head.commit_id[:8]})"
    if last is None:
        raise PushError(f"{repo_id}: its last commit {name} was not made by a push: {overwrites}")
    if _parts(last.program) > _parts(version.program):
        raise PushError(
            f"{repo_id}: its last commit {name} was pushed by dialogue-cube {last.program}, which is newer than "
            f"{version.program}: {overwrites}"
        )
    if version != last and any(Version.of(commit) == version for commit in commits[1:]):
        raise PushError(f"{repo_id}: {version.label} was pushed before, its last commit {name} is newer: {overwrites}")


def _parts(program: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", program))
