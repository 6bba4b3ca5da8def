"""Injected faults during the push of a dataset and of a model.

A push survives temporary faults and explains permanent ones in one line. Nothing is ever published in part, and the
token is never shown or stored.
"""

import re
import uuid

import pytest
from starlette.responses import Response

from dataset_builders.common import patience
from hub.invented import pair, write_dataset, write_model
from hub.server import HangUp
from push_scripts.errors import PushError
from push_scripts.push_dataset import push_dataset
from push_scripts.push_model import push_model
from push_scripts.push_options import PushOptions

PUSHES = {
    "dataset": lambda repo, folder, **options: push_dataset(folder, repo, PushOptions(**options)),
    "model": lambda repo, folder, **options: push_model(folder, repo, PushOptions(**options)),
}


@pytest.fixture(params=PUSHES)
def kind(request):
    return request.param


@pytest.fixture
def push(hub, kind, tmp_path, monkeypatch):
    """Push a small dataset or model to `namespace/name` of the loopback Hub, without real pauses."""
    hub.use_here(monkeypatch)
    pauses = []
    monkeypatch.setattr(patience.time, "sleep", pauses.append)
    unique = uuid.uuid4().hex  # the Hub remembers the files of other tests
    rows = {
        ("pairs", "train"): [pair("a", unique), pair("b", redistributable=False)],
        ("pairs", "test"): [pair(unique)],
    }
    folder = write_dataset(tmp_path / "data", rows) if kind == "dataset" else write_model(tmp_path / "core", 2, unique)

    def run(name="it", **options):
        return PUSHES[kind](f"{hub.namespace}/{name}", folder, **options)

    run.pauses = pauses
    return run


def is_commit(request):
    return re.search(r"/commit/[^/]+$", request.scope["path"])


def is_upload(request):
    return request.method == "PUT"


def failing(when, answer, times=None):
    """Replace the responses to the first `times` requests (None: to all) that satisfy `when`."""
    count = 0

    def intercept(request):
        nonlocal count
        if not when(request):
            return None
        count += 1
        return answer() if times is None or count <= times else None

    return intercept


def status(code, **headers):
    return lambda: Response("", code, {"X-Error-Message": "Not now", **headers})


PERMANENT = {
    "401 invalid token": (status(401), r"does not accept the token \(401\): run `hf auth login`"),
    "403 token may not write": (status(403), r"the token may not write to .* \(403\): use one with write access"),
    "404 repository not found": (
        status(404),
        r"not found \(404\): check the name, and that the token has access to it",
    ),
    "409 conflict": (status(409), r"conflict with its current content \(409\): Not now"),
    "412 another commit meanwhile": (status(412), r"received another commit .* \(412\): nothing was overwritten"),
    "413 too large": (status(413), r"refused the push to .* \(413\): Not now"),
    "429 with a long pause": (
        status(429, **{"Retry-After": "4000"}),
        r"limits the rate of requests \(429\): push again in 4000 s",
    ),
    "429 always": (status(429), r"limits the rate of requests \(429\): push again later"),
    "500 always": (status(500), r"keeps failing \(500\): push again later"),
    "503 always": (status(503), r"keeps failing \(503\)"),
    "connection always broken": (HangUp, r"cannot reach http.*: check the network and HF_ENDPOINT, then push again"),
}


@pytest.mark.parametrize(("answer", "message"), PERMANENT.values(), ids=PERMANENT)
def test_a_permanent_fault_is_explained_in_one_line(hub, push, kind, answer, message):
    hub.intercept(failing(is_commit, answer))
    with pytest.raises(PushError, match=message) as error:
        push(tag="v1")
    assert "\n" not in str(error.value)
    assert "hf_test" not in str(error.value)
    assert set(hub.files(f"{kind}s", "it")) == {".gitattributes"}  # all or nothing
    assert "refs/tags/v1" not in hub.repo(f"{kind}s", "it").refs


def is_creation(request):
    return request.method == "POST" and request.scope["path"] == "/api/repos/create"


@pytest.mark.parametrize(
    "answer", [status(409), lambda: Response("{}", 409), lambda: Response("no JSON", 409)], ids=["empty", "{}", "text"]
)
def test_a_repository_that_exists_needs_no_url_in_the_answer(hub, push, kind, answer):
    """The Hub client takes the URL from the answer 409, even if it has none."""
    push()
    hub.intercept(failing(is_creation, answer))
    assert push().published.changed is False


def test_a_conflict_without_a_repository_is_explained(hub, push):
    hub.intercept(failing(is_creation, status(409)))
    with pytest.raises(PushError, match=r"conflict with its current content \(409\): Not now"):
        push()


def test_an_answer_that_is_no_json_is_explained(hub, push):
    hub.intercept(failing(is_creation, lambda: Response("<html>", 200)))
    with pytest.raises(PushError, match=r"sent an unexpected answer .*: check HF_ENDPOINT, then push again"):
        push()


TEMPORARY = {
    "429 with Retry-After": (status(429, **{"Retry-After": "7"}), 2, [7.0, 7.0]),
    "429 with the header of the Hub": (status(429, RateLimit='"api";r=0;t=41'), 1, [42.0]),
    "500 twice": (status(500), 2, [1.0, 2.0]),
    "502 once": (status(502), 1, [1.0]),
    "503 three times": (status(503), 3, [1.0, 2.0, 4.0]),
    "504 once": (status(504), 1, [1.0]),
    "connection broken twice": (HangUp, 2, [1.0, 2.0]),
}


@pytest.mark.parametrize(("answer", "times", "pauses"), TEMPORARY.values(), ids=TEMPORARY)
def test_a_push_survives_temporary_faults(hub, push, kind, answer, times, pauses):
    hub.intercept(failing(is_commit, answer, times))
    result = push(tag="v1")
    assert push.pauses == pauses
    assert set(hub.files(f"{kind}s", "it", "v1")) == {".gitattributes", *result.sizes}
    assert len(hub.repo(f"{kind}s", "it").commits) == 2


@pytest.mark.parametrize(
    "when", [is_upload, lambda request: "/preupload/" in request.scope["path"]], ids=["upload", "preupload"]
)
def test_a_push_survives_a_temporary_fault_of_an_upload(hub, push, kind, when):
    hub.intercept(failing(when, status(503), 1))
    result = push()
    assert set(hub.files(f"{kind}s", "it")) == {".gitattributes", *result.sizes}


def test_a_lost_response_does_not_repeat_the_commit(hub, push, kind):
    """The connection breaks after the Hub has made the commit and before it confirms it."""
    app = hub.server._app

    class LostResponse(HangUp):
        async def __call__(self, scope, receive, send):
            async def discard(message):
                pass

            await app(scope, receive, discard)
            await super().__call__(scope, receive, send)

    hub.intercept(failing(is_commit, LostResponse, 1))
    result = push(tag="v1")
    repo = hub.repo(f"{kind}s", "it")
    assert len(repo.commits) == 2
    assert result.published.commit == repo.refs["refs/heads/main"] == repo.refs["refs/tags/v1"]


def test_files_that_arrived_before_the_connection_broke_are_not_sent_again(hub, push, kind):
    uploads = []

    def answer(request):
        if is_upload(request):
            uploads.append(request.scope["path"])
            if len(set(uploads)) > 1:
                return HangUp()
        return None

    hub.intercept(answer)
    with pytest.raises(PushError, match="large files that have arrived are not sent again"):
        push()
    arrived = uploads[0]
    uploads.clear()
    hub.intercept(lambda request: uploads.append(request.scope["path"]) if is_upload(request) else None)
    result = push()
    assert arrived not in uploads
    assert uploads
    assert set(hub.files(f"{kind}s", "it")) == {".gitattributes", *result.sizes}


def test_an_unreachable_hub_fails_at_once(push, monkeypatch):
    import socket

    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", closed)
    with pytest.raises(PushError, match=rf"cannot reach {closed} \(ConnectError\): check the network and HF_ENDPOINT"):
        push()
    assert push.pauses == []


def test_offline_mode_is_explained(push, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.utils._http.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(PushError, match="HF_HUB_OFFLINE is set"):
        push()


def test_a_full_disk_is_explained(push, monkeypatch):
    """`/dev/full` raises a real error of the operating system."""
    from pathlib import Path

    write = Path.write_text

    def write_to_full_disk(self, text, **options):
        if "dialogue-cube-" in str(self):
            with Path("/dev/full").open("w") as device:
                device.write(text)
        return write(self, text, **options)

    monkeypatch.setattr(Path, "write_text", write_to_full_disk)
    with pytest.raises(PushError, match="no space left on the disk: free some space, or set TMPDIR to a folder"):
        push(dry_run=True)


@pytest.mark.parametrize("newer", ["edit on the website", "push of a later version", "later build"])
def test_a_newer_revision_is_not_overwritten(hub, push, kind, newer):
    push()
    repo = hub.repo(f"{kind}s", "it")
    main = repo.resolve("main")
    message = {
        "edit on the website": "",
        "push of a later version": "Pushed by dialogue-cube 99.0: build 1",
        "later build": "Pushed by dialogue-cube 0.0.1: build 2",
    }[newer]
    theirs = repo.commit("refs/heads/main", main, {**main.tree, "new": main.tree[".gitattributes"]}, "Theirs", message)
    with pytest.raises(PushError, match=rf"the last commit 'Theirs' \({theirs.oid[:8]}\).*push again with --overwrite"):
        push()
    assert repo.refs["refs/heads/main"] == theirs.oid
    push(create_pr=True)  # a pull request overwrites nothing
    assert repo.refs["refs/heads/main"] == theirs.oid
    push(overwrite=True, message="Ours")
    assert repo.resolve("main").title in ("Ours", "Theirs")  # no commit if the files are equal
    assert repo.resolve("main").tree["new"]


def test_a_dry_run_contacts_no_server(hub, push):
    requests = len(hub.server.requests)
    assert push(dry_run=True, tag="v1").sizes
    assert len(hub.server.requests) == requests


def test_the_token_is_neither_shown_nor_stored(hub, push, tmp_path, capsys, caplog):
    push(tag="v1")
    hub.intercept(failing(is_commit, status(403)))
    with pytest.raises(PushError) as error:
        push("other")
    assert "hf_test" not in f"{error.value}{capsys.readouterr()}{caplog.text}"
    for path in [*tmp_path.rglob("*"), *hub.server.store.blobs.folder.iterdir()]:
        assert not path.is_file() or b"hf_test" not in path.read_bytes(), path
