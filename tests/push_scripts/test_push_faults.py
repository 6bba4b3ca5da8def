"""The fault-injection table: what goes wrong on the way to the Hub, for a dataset and for a model.

A passing fault is overcome, a lasting one becomes one line that says what to do; nothing is ever left half-published,
and the token is never shown or stored.
"""

import re
import uuid
from collections import Counter

import pytest
from starlette.responses import Response

from hub.invented import pair, write_dataset, write_model
from hub.server import HangUp
from push_scripts import patience
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
    """Pushes a small dataset or model to `namespace/name` of the loopback Hub; pauses are not slept."""
    hub.use_here(monkeypatch)
    pauses = []
    monkeypatch.setattr(patience.time, "sleep", pauses.append)
    fresh = uuid.uuid4().hex  # the Hub knows files of other tests by their content
    rows = {("pairs", "train"): [pair("a", fresh), pair("b", redistributable=False)], ("pairs", "test"): [pair(fresh)]}
    made = write_dataset(tmp_path / "data", rows) if kind == "dataset" else write_model(tmp_path / "core", 2, fresh)

    def run(name="it", **options):
        return PUSHES[kind](f"{hub.namespace}/{name}", made, **options)

    run.pauses, run.folder = pauses, made
    return run


def is_commit(request):
    return re.search(r"/commit/[^/]+$", request.scope["path"])


def is_upload(request):
    return request.method == "PUT"


def failing(when, answer, times=None):
    """Answers the first `times` requests (all, when None) for which `when` holds with `answer`."""
    seen = Counter()

    def intercept(request):
        if not when(request):
            return None
        seen["requests"] += 1
        return answer() if times is None or seen["requests"] <= times else None

    intercept.seen = seen
    return intercept


def status(code, **headers):
    return lambda: Response("", code, {"X-Error-Message": "Not now", **headers})


LASTING = {
    "401 token refused": (status(401), r"does not accept the token \(401\): run `hf auth login`"),
    "403 token may not write": (status(403), r"the token may not write to .* \(403\): take one with write access"),
    "404 gone": (status(404), r"not found \(404\): check the name, and that the token may see it"),
    "409 conflict": (status(409), r"conflict with what is there already \(409\): Not now"),
    "412 another commit came first": (status(412), r"got another commit .* \(412\): nothing was overwritten"),
    "413 too large": (status(413), r"refused the push to .* \(413\): Not now"),
    "429 pause too long": (status(429, **{"Retry-After": "4000"}), r"asks for a pause of 4000 s \(429\), longer than"),
    "429 for ever": (status(429), r"asks for a pause \(429\)"),
    "500 for ever": (status(500), r"fault of its own \(500\), also after several attempts: push again later"),
    "503 for ever": (status(503), r"fault of its own \(503\)"),
    "connection broken for ever": (HangUp, r"cannot reach http.*: check network and HF_ENDPOINT, then push again"),
}


@pytest.mark.parametrize(("answer", "message"), LASTING.values(), ids=LASTING)
def test_lasting_fault_is_one_clear_line(hub, push, kind, answer, message):
    hub.intercept(failing(is_commit, answer))
    with pytest.raises(PushError, match=message) as error:
        push(tag="v1")
    assert "\n" not in str(error.value)
    assert "hf_test" not in str(error.value)
    assert set(hub.files(f"{kind}s", "it")) == {".gitattributes"}  # all or nothing
    assert "refs/tags/v1" not in hub.repo(f"{kind}s", "it").refs


PASSING = {
    "429 then well, waits as long as asked": (status(429, **{"Retry-After": "7"}), 2, [7.0, 7.0]),
    "429 with the Hub's own header": (status(429, RateLimit='"api";r=0;t=41'), 1, [42.0]),
    "500 then well": (status(500), 2, [1.0, 2.0]),
    "502 then well": (status(502), 1, [1.0]),
    "503 then well": (status(503), 3, [1.0, 2.0, 4.0]),
    "504 then well": (status(504), 1, [1.0]),
    "connection broken, then well": (HangUp, 2, [1.0, 2.0]),
}


@pytest.mark.parametrize(("answer", "times", "pauses"), PASSING.values(), ids=PASSING)
def test_passing_fault_is_overcome(hub, push, kind, answer, times, pauses):
    hub.intercept(failing(is_commit, answer, times))
    done = push(tag="v1")
    assert push.pauses == pauses
    assert set(hub.files(f"{kind}s", "it", "v1")) == {".gitattributes", *done.sizes}
    assert len(hub.repo(f"{kind}s", "it").commits) == 2


@pytest.mark.parametrize(
    "when", [is_upload, lambda request: "/preupload/" in request.scope["path"]], ids=["upload", "preupload"]
)
def test_passing_fault_of_an_upload_is_overcome(hub, push, kind, when):
    hub.intercept(failing(when, status(503), 1))
    done = push()
    assert set(hub.files(f"{kind}s", "it")) == {".gitattributes", *done.sizes}


def test_commit_arrived_but_its_answer_did_not(hub, push, kind):
    """The Hub made the commit and the connection broke before it said so: it is not made twice, and nothing fails."""
    app, state = hub.server._app, Counter()

    class AnswerLost(HangUp):
        async def __call__(self, scope, receive, send):
            async def nowhere(message):
                pass

            await app(scope, receive, nowhere)
            await super().__call__(scope, receive, send)

    hub.intercept(failing(is_commit, AnswerLost, 1))
    done = push(tag="v1")
    repo = hub.repo(f"{kind}s", "it")
    assert len(repo.commits) == 2
    assert done.published.commit == repo.refs["refs/heads/main"] == repo.refs["refs/tags/v1"]
    assert not state


def test_resumes_after_a_broken_connection(hub, push, kind):
    """Files that arrived before the connection broke are not sent again."""
    uploads = []

    def answer(request):
        if is_upload(request):
            uploads.append(request.scope["path"])
            if len(set(uploads)) > 1:
                return HangUp()
        return None

    hub.intercept(answer)
    with pytest.raises(PushError, match="large files that arrived are not sent twice"):
        push()
    arrived = uploads[0]
    uploads.clear()
    hub.intercept(lambda request: uploads.append(request.scope["path"]) if is_upload(request) else None)
    done = push()
    assert arrived not in uploads
    assert uploads
    assert set(hub.files(f"{kind}s", "it")) == {".gitattributes", *done.sizes}


def test_no_network(push, monkeypatch):
    import socket

    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as free:
        dead = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", dead)
    with pytest.raises(PushError, match=rf"cannot reach {dead} \(ConnectError\): check network and HF_ENDPOINT"):
        push()
    assert push.pauses == []  # nobody there: told at once


def test_offline_mode(push, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.utils._http.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(PushError, match="HF_HUB_OFFLINE is set"):
        push()


def test_full_disk(push, monkeypatch):
    """The folder for temporary files takes no byte more: a true error of the operating system."""
    from pathlib import Path

    write = Path.write_text

    def full(self, text, **options):
        if "dialogue-cube-" in str(self):
            with Path("/dev/full").open("w") as device:
                device.write(text)
        return write(self, text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(PushError, match="no space left on the disk: free some, or let TMPDIR name a folder"):
        push(dry_run=True)


@pytest.mark.parametrize("theirs", ["edit on the website", "push of a later version", "later build"])
def test_newer_revision_is_not_overwritten(hub, push, kind, theirs):
    push()
    repo = hub.repo(f"{kind}s", "it")
    main = repo.resolve("main")
    message = {
        "edit on the website": "",
        "push of a later version": "Pushed by dialogue-cube 99.0: build 1",
        "later build": "Pushed by dialogue-cube 0.0.1: build 2",
    }[theirs]
    kept = repo.commit("refs/heads/main", main, {**main.tree, "new": main.tree[".gitattributes"]}, "Theirs", message)
    with pytest.raises(PushError, match=rf"its last commit 'Theirs' \({kept.oid[:8]}\).*push again with --overwrite"):
        push()
    assert repo.refs["refs/heads/main"] == kept.oid
    push(create_pr=True)  # a proposal overwrites nothing
    assert repo.refs["refs/heads/main"] == kept.oid
    push(overwrite=True, message="Ours")
    assert repo.resolve("main").title in ("Ours", "Theirs")  # equal files make no commit
    assert repo.resolve("main").tree["new"]


def test_dry_run_contacts_nobody(hub, push):
    asked = len(hub.server.requests)
    assert push(dry_run=True, tag="v1").sizes
    assert len(hub.server.requests) == asked


def test_token_is_nowhere(hub, push, tmp_path, capsys, caplog):
    push(tag="v1")
    hub.intercept(failing(is_commit, status(403)))
    with pytest.raises(PushError) as error:
        push("other")
    assert "hf_test" not in f"{error.value}{capsys.readouterr()}{caplog.text}"
    for path in [*tmp_path.rglob("*"), *hub.server.store.blobs.folder.iterdir()]:
        assert not path.is_file() or b"hf_test" not in path.read_bytes(), path
