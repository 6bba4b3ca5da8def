"""State of the loopback Hub: repositories with git-like commits, branches, tags and pull requests."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path


class HubError(Exception):
    """An error of the protocol: HTTP status, `X-Error-Code` (may be empty) and `X-Error-Message`."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


class Blobs:
    """Contents of files on disk, by their sha256."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        return self.folder / sha256

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self.path(sha256).write_bytes(data)
        return sha256


def git_blob_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass(frozen=True)
class Entry:
    """A file in a tree. `oid` is that of git; for LFS, that of the pointer file."""

    sha256: str
    size: int
    oid: str
    lfs: bool

    @classmethod
    def regular(cls, blobs: Blobs, data: bytes) -> Entry:
        return cls(blobs.put(data), len(data), git_blob_oid(data), lfs=False)

    @classmethod
    def pointer(cls, blobs: Blobs, sha256: str) -> Entry:
        if not blobs.path(sha256).exists():
            raise HubError(400, f"LFS object {sha256} was never uploaded")
        size = blobs.path(sha256).stat().st_size
        return cls(sha256, size, git_blob_oid(pointer_text(sha256, size)), lfs=True)


def pointer_text(sha256: str, size: int) -> bytes:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


@dataclass(frozen=True)
class Commit:
    oid: str
    parent: str | None
    tree: dict[str, Entry]
    title: str
    message: str
    date: str


@dataclass
class Repo:
    """A repository: `refs` maps full names (`refs/heads/main`, `refs/tags/v1`, `refs/pr/1`) to commits."""

    kind: str  # "models", "datasets" or "spaces"
    id: str  # "namespace/name"
    private: bool
    blobs: Blobs
    commits: dict[str, Commit] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def resolve(self, revision: str) -> Commit:
        """Return the commit of a branch, a tag, a `refs/...` name or a (short) commit id."""
        for ref in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if ref in self.refs:
                return self.commits[self.refs[ref]]
        if re.fullmatch("[0-9a-f]{5,40}", revision):
            matches = [commit for oid, commit in self.commits.items() if oid.startswith(revision)]
            if len(matches) == 1:
                return matches[0]
        raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def writable_ref(self, revision: str) -> str:
        for ref in (f"refs/heads/{revision}", revision):
            if ref in self.refs and not ref.startswith("refs/tags/"):
                return ref
        self.resolve(revision)  # 404 for an unknown revision
        raise HubError(400, f"{revision} is not a branch")

    def commit(self, ref: str, parent: Commit | None, tree: dict[str, Entry], title: str, message: str) -> Commit:
        date = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        tree = dict(sorted(tree.items()))
        parent_oid = parent.oid if parent else None
        listing = "".join(f"{entry.oid} {path}\n" for path, entry in tree.items())
        seed = f"{self.kind}/{self.id}\n{parent_oid}\n{listing}\n{title}\n{message}\n{date}"
        commit = Commit(hashlib.sha1(seed.encode()).hexdigest(), parent_oid, tree, title, message, date)
        self.commits[commit.oid] = commit
        self.refs[ref] = commit.oid
        return commit

    def history(self, commit: Commit) -> list[Commit]:
        """Return the commit and its ancestors, newest first."""
        commits = [commit]
        while commits[-1].parent:
            commits.append(self.commits[commits[-1].parent])
        return commits

    def last_change(self, commit: Commit, path: str) -> Commit:
        """Return the newest commit up to `commit` that changed `path`."""
        history = self.history(commit)
        for newer, older in pairwise(history):
            if older.tree.get(path) != newer.tree.get(path):
                return newer
        return history[-1]


class Store:
    """All repositories, with their permissions.

    There are two tokens: `hf_test` may write, `hf_read` only read. Neither may write to the namespace `strangers`.
    """

    def __init__(self, folder: Path) -> None:
        self.blobs = Blobs(folder / "blobs")
        self.tokens = {"hf_test": "write", "hf_read": "read"}
        self.foreign = {"strangers"}
        self.repos: dict[tuple[str, str], Repo] = {}

    def create(self, kind: str, repo_id: str, private: bool = False) -> Repo:
        repo = Repo(kind, repo_id, private, self.blobs)
        attributes = Entry.regular(self.blobs, b"*.parquet filter=lfs diff=lfs merge=lfs -text\n")
        repo.commit("refs/heads/main", None, {".gitattributes": attributes}, "initial commit", "")
        self.repos[kind, repo_id] = repo
        return repo

    def role(self, token: str | None) -> str | None:
        if token is None:
            return None
        if token not in self.tokens:
            raise HubError(401, "Invalid credentials in Authorization header")
        return self.tokens[token]

    def readable(self, kind: str, repo_id: str, token: str | None) -> Repo:
        """Return the repository, or raise the error that the Hub returns for missing and for hidden ones."""
        role, repo = self.role(token), self.repos.get((kind, repo_id))
        hidden = repo is not None and repo.private and (role is None or repo_id.split("/")[0] in self.foreign)
        if repo is None or hidden:
            status, message = (404, "Repository not found") if role else (401, "Invalid username or password.")
            raise HubError(status, message, "RepoNotFound")
        return repo

    def demand_write(self, repo_id: str, token: str | None) -> None:
        role = self.role(token)
        if role is None:
            raise HubError(401, "Invalid username or password.")
        if role != "write" or repo_id.split("/")[0] in self.foreign:
            raise HubError(403, f"You don't have the rights to write to {repo_id.split('/')[0]}")
