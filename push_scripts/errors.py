"""The error of publishing, and how errors of the Hub client become one."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager

from dataset_builders.common.errors import DialogueCubeError
from dataset_builders.common.patience import asked_pause, without_token

_RESUME = "large files that have arrived are not sent again"


class PushError(DialogueCubeError):
    """Publishing fails or is refused. The message never contains the token.

    Example:
        >>> from push_scripts.push_metric import push_metric
        >>> try:
        ...     push_metric("ORG/my-metrics")
        ... except PushError as error:
        ...     print(error)
        --repo ORG/my-metrics: `evaluate.load` imports a file of that name; use letters, digits and _ only
    """

    def __init__(self, message: str) -> None:
        super().__init__(without_token(" ".join(message.split())))


@contextmanager
def explain_errors(repo_id: str, endpoint: str) -> Iterator[None]:
    """Turn the errors of the Hub client into a `PushError`; all other errors pass unchanged.

    Args:
        repo_id: `org/name`, for the message.
        endpoint: Address of the Hub, for the message.

    Raises:
        PushError: The Hub client failed; the message says what to do.
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

    # an upload worker wraps the actual error
    while error is not None and not isinstance(error, (OSError, HTTPError, ValueError, KeyError)):
        error = error.__cause__
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        return _explain_status(error, error.response.status_code, repo_id, endpoint)
    if isinstance(error, OfflineModeIsEnabled):
        return f"cannot push to {repo_id}: HF_HUB_OFFLINE is set; unset it to go online"
    if isinstance(error, (HTTPError, ConnectionError, TimeoutError)):
        reason = type(error).__name__
        return f"cannot reach {endpoint} ({reason}): check the network and HF_ENDPOINT, then push again; {_RESUME}"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "no space left on the disk: free some space, or set TMPDIR to a folder on a larger disk"
    if isinstance(error, (json.JSONDecodeError, KeyError)):
        return f"{endpoint} sent an unexpected answer ({error!r}): check HF_ENDPOINT, then push again; {_RESUME}"
    if isinstance(error, ValueError) and "metadata in README.md" in str(error):
        return f"the Hub does not accept the card of {repo_id}: {error}"
    return None


def _explain_status(error: Exception, status: int, repo_id: str, endpoint: str) -> str:
    from huggingface_hub.errors import RevisionNotFoundError

    reason = getattr(error, "server_message", None) or "no reason given"
    organisation = repo_id.split("/")[0]
    if isinstance(error, RevisionNotFoundError):
        return f"{repo_id} has no such branch or revision (404): {reason}"
    match status:
        case 401:
            return f"{endpoint} does not accept the token (401): run `hf auth login` or renew HF_TOKEN"
        case 403:
            return (
                f"the token may not write to {repo_id} (403): use one with write access to {organisation}, "
                "or propose the change to an existing repository with --create-pr"
            )
        case 404:
            return f"{repo_id} not found (404): check the name, and that the token has access to it"
        case 409:
            return f"{repo_id}: conflict with its current content (409): {reason}"
        case 412:
            return (
                f"{repo_id} received another commit during this push (412): nothing was overwritten; "
                "look at that commit, then push again"
            )
        case 429:
            pause = asked_pause(error)
            return f"{endpoint} limits the rate of requests (429): push again {f'in {pause:g} s' if pause else 'later'}"
        case _ if status >= 500:
            return f"{endpoint} keeps failing ({status}): push again later; {_RESUME}"
    return f"{endpoint} refused the push to {repo_id} ({status}): {reason}"
