"""The error of the publishing side, and how errors of the Hub become it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from dataset_builders.common.errors import DialogueCubeError


class PushError(DialogueCubeError):
    """Publishing failed or is refused; the message never holds the token."""

    def __init__(self, message: str) -> None:
        super().__init__(_without_token(" ".join(message.split())))


def _without_token(message: str) -> str:
    from huggingface_hub import get_token

    token = get_token()
    return message.replace(token, "***") if token else message


@contextmanager
def explained(repo_id: str, endpoint: str) -> Iterator[None]:
    """Turns the errors of the Hub's client into a `PushError`; what is none of them passes unchanged.

    Args:
        repo_id: `org/name`, named in the message.
        endpoint: Address of the Hub, named when it cannot be reached.
    """
    try:
        yield
    except PushError:
        raise
    except Exception as error:
        if message := _explain(error, repo_id, endpoint):
            raise PushError(message) from error
        raise


def _explain(error: BaseException | None, repo_id: str, endpoint: str) -> str | None:
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    # an upload worker wraps what really happened
    while error is not None and not isinstance(error, (OSError, HTTPError, ValueError)):
        error = error.__cause__
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        return _explain_status(error, error.response.status_code, repo_id, endpoint)
    if isinstance(error, OfflineModeIsEnabled):
        return f"cannot push to {repo_id}: HF_HUB_OFFLINE is set; unset it to go online"
    if isinstance(error, (HTTPError, ConnectionError, TimeoutError)):
        return (
            f"cannot reach {endpoint} ({type(error).__name__}): check network and HF_ENDPOINT, then push again; large "
            "files that arrived are not sent twice"
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "no space left on the disk: free some, or let TMPDIR name a folder on a larger one"
    if isinstance(error, ValueError) and "metadata in README.md" in str(error):
        return f"the Hub does not accept the card of {repo_id}: {error}"
    return None


def _explain_status(error: Exception, status: int, repo_id: str, endpoint: str) -> str:
    from huggingface_hub.errors import RevisionNotFoundError

    said = getattr(error, "server_message", None) or "no reason given"
    organisation = repo_id.split("/")[0]
    if isinstance(error, RevisionNotFoundError):
        return f"{repo_id} has no such branch or revision (404): {said}"
    known = {
        401: f"{endpoint} does not accept the token (401): run `hf auth login` or renew HF_TOKEN",
        403: f"the token may not write to {repo_id} (403): take one with write access to {organisation}, "
        "or propose the change to an existing repository with --create-pr",
        404: f"{repo_id} not found (404): check the name, and that the token may see it",
        409: f"{repo_id}: conflict with what is there already (409): {said}",
        412: f"{repo_id} got another commit while this push was under way (412): nothing was overwritten; "
        "look at that commit, then push again",
        429: f"{endpoint} asks for a pause{_pause(error)} (429), longer than this waits: push again after it",
    }
    if status in known:
        return known[status]
    if status >= 500:
        return (
            f"{endpoint} has a fault of its own ({status}), also after several attempts: push again later, large files "
            "are not sent twice"
        )
    return f"{endpoint} refused the push to {repo_id} ({status}): {said}"


def _pause(error: Exception) -> str:
    from push_scripts.patience import asked_pause

    seconds = asked_pause(error)
    return f" of {seconds:g} s" if seconds else ""
