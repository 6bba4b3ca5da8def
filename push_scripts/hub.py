"""Push a set of files to the Hub in one atomic commit or one pull request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dataset_builders.common.patience import Patience
from push_scripts.errors import PushError, explain_errors
from push_scripts.history import Version, check_not_newer
from push_scripts.push_options import PushOptions

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo, HfApi


@dataclass(frozen=True)
class Target:
    """A repository to push to.

    Args:
        repo_id: `org/name`.
        repo_type: Kind of repository.
        options: How to push.
        sdk: What runs a Space: `"gradio"` or `"docker"`.

    Raises:
        PushError: The name is not `org/name`.
    """

    repo_id: str
    repo_type: Literal["dataset", "model", "space"]
    options: PushOptions
    sdk: str = "gradio"

    @property
    def prefix(self) -> str:
        """Part of the repository's URL before its name."""
        return "" if self.repo_type == "model" else f"{self.repo_type}s/"

    def __post_init__(self) -> None:
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import validate_repo_id

        try:
            validate_repo_id(self.repo_id)
        except HFValidationError as error:
            raise PushError(f"--repo {self.repo_id!r} is not a repository name: {error}") from error
        if self.repo_id.count("/") != 1:
            raise PushError(f"--repo {self.repo_id!r}: expected ORG/NAME, such as my-org/dialogue-corpus")


@dataclass(frozen=True)
class Published:
    """A version on the Hub.

    Attributes:
        url: Page of the commit or of the pull request.
        commit: Id of the commit.
        revision: Branch, tag or pull request (`refs/pr/1`) from which to load the files.
        changed: Whether the push made a commit; False if the repository already held the same files.
    """

    url: str
    commit: str
    revision: str
    changed: bool


@dataclass(frozen=True)
class PushedSpace:
    """A pushed Space, or the one that a dry run would push.

    Attributes:
        sizes: Path in the repository -> size in bytes.
        published: Commit on the Hub; None after a dry run.
    """

    sizes: dict[str, int]
    published: Published | None


def require_token() -> str:
    """Return the token that the Hub client will send.

    Raises:
        PushError: There is no token, or it contains invalid characters.
    """
    from huggingface_hub import get_token

    token = get_token()
    if token is None:
        raise PushError("no Hub token found: log in with `hf auth login`, or set HF_TOKEN to one with write access")
    if not re.fullmatch(r"[!-~]+", token):  # the error of the client would quote the token
        raise PushError("the Hub token contains invalid characters: run `hf auth login` or set HF_TOKEN again")
    return token


def publish(target: Target, files: Mapping[str, Path], owned: re.Pattern[str], version: Version) -> Published:
    """Upload files in one commit; create the repository if it is missing.

    The commit names its parent: if somebody else commits meanwhile, nothing is overwritten and the push fails. Large
    files that arrived before a connection broke are not sent again.

    Args:
        target: Repository and options.
        files: Path in the repository -> local file.
        owned: Pattern of the files that a push owns. The commit deletes remote files that match and are not in `files`:
            they are left over from an earlier push, and `load_dataset` would mix old and new shards.
        version: Version of the content, for the description of the commit.

    Raises:
        PushError: The Hub cannot be reached or refused, or the state of the repository forbids the push.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    options, api, patiently = target.options, HfApi(token=require_token(), library_name="dialogue-cube"), Patience()
    repo: dict[str, Any] = {"repo_id": target.repo_id, "repo_type": target.repo_type}
    space: dict[str, Any] = {"space_sdk": target.sdk} if target.repo_type == "space" else {}
    with explain_errors(target.repo_id, api.endpoint):
        patiently(lambda: _create(api, target, **space))
        patiently(lambda: _check_state(api, target))
        revision = options.revision or "main"
        head = str(patiently(lambda: api.repo_info(**repo, revision=revision)).sha)
        if not options.create_pr and not options.overwrite:
            check_not_newer(target.repo_id, patiently(lambda: api.list_repo_commits(**repo, revision=head)), version)
        remote = patiently(lambda: api.list_repo_files(**repo, revision=head))
        left_over = {name for name in remote if owned.fullmatch(name)} - set(files)
        operations: list[Any] = [CommitOperationAdd(name, path) for name, path in sorted(files.items())]
        operations += [CommitOperationDelete(name) for name in sorted(left_over)]
        commit = _commit(api, patiently, target, operations, head, version)
        if options.tag:
            patiently(lambda: api.create_tag(**repo, tag=str(options.tag), revision=commit.oid, exist_ok=True))
    return Published(
        url=commit.pr_url or commit.commit_url,
        commit=commit.oid,
        revision=commit.pr_revision or options.tag or revision,
        changed=commit.oid != head,
    )


def _commit(
    api: HfApi, patiently: Patience, target: Target, operations: list[Any], parent: str, version: Version
) -> CommitInfo:
    """Make exactly one commit, even if the connection breaks before the Hub confirms it."""
    from huggingface_hub import CommitInfo

    repo: dict[str, Any] = {"repo_id": target.repo_id, "repo_type": target.repo_type}
    options, tries = target.options, 0

    def commit() -> CommitInfo:
        nonlocal tries
        tries += 1
        if tries > 1 and not options.create_pr:
            last = api.list_repo_commits(**repo, revision=options.revision or "main")[0]
            if last.commit_id != parent and Version.of(last) == version:
                url = f"{api.endpoint}/{target.prefix}{target.repo_id}/commit/{last.commit_id}"
                return CommitInfo(commit_url=url, commit_message=last.title, commit_description="", oid=last.commit_id)
        return api.create_commit(
            **repo,
            operations=operations,
            commit_message=options.message or f"Upload {target.repo_type}",
            commit_description=version.note,
            revision=options.revision,
            create_pr=options.create_pr,
            parent_commit=parent,
        )

    return patiently(commit, repeatable=not options.create_pr)


def _create(api: HfApi, target: Target, **space: Any) -> None:
    """Create the repository if it is missing.

    `exist_ok=True` of the Hub client fails if the answer 409 does not contain the URL of the repository.
    """
    from huggingface_hub.errors import HfHubHTTPError

    try:
        api.create_repo(target.repo_id, repo_type=target.repo_type, private=target.options.private or None, **space)
    except HfHubHTTPError as error:
        if error.response.status_code not in (401, 402, 403, 409):
            raise
        try:  # a token that may write to a repository need not be allowed to create one
            api.repo_info(target.repo_id, repo_type=target.repo_type)
        except HfHubHTTPError:
            raise error from None


def _check_state(api: HfApi, target: Target) -> None:
    """Refuse a push that would fail or expose data only after the upload; create a missing branch."""
    repo_id, repo_type, options = target.repo_id, target.repo_type, target.options
    if options.private and not api.repo_info(repo_id, repo_type=repo_type).private:
        raise PushError(f"{repo_id} exists and is public: make it private in its settings, or leave out --private")
    if not options.tag and not options.revision:
        return
    refs = api.list_repo_refs(repo_id, repo_type=repo_type)
    if options.tag in {tag.name for tag in refs.tags}:
        raise PushError(
            f"{repo_id} already has a tag {options.tag}: choose another name, or delete it with `hf repos tag delete`"
        )
    if options.revision and not options.revision.startswith("refs/"):
        if options.revision in {tag.name for tag in refs.tags}:
            raise PushError(f"--revision {options.revision} is a tag of {repo_id}: name a branch")
        if options.revision not in {branch.name for branch in refs.branches}:
            api.create_branch(repo_id, branch=options.revision, repo_type=repo_type)
