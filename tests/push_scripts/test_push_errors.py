"""Mistakes about repository, token and options end in a message of one line. For faults of the network see `test_push_faults`."""

import socket

import pytest

from hub.invented import pair, utterance, write_dataset
from push_scripts.errors import PushError
from push_scripts.hub import Target
from push_scripts.push_options import PushOptions


@pytest.fixture
def data(tmp_path):
    return write_dataset(tmp_path / "data", {("pairs", "train"): [pair("a"), pair("b", redistributable=False)]})


TRY = """
import json, os
from push_scripts.errors import PushError
from push_scripts.push_dataset import push_dataset
from push_scripts.push_options import PushOptions

def attempt(repo, token="hf_test", **options):
    os.environ["HF_TOKEN"] = token
    try:
        push_dataset({data!r}, repo, PushOptions(**options))
    except PushError as error:
        return str(error)

messages = dict()
"""


def test_refusals_are_explained_in_one_line(hub, data):
    org = hub.namespace
    hub.server.store.create("datasets", f"{org}/busy")
    hub.server.store.create("datasets", "strangers/public")

    def answer(request):
        path = request.scope["path"]
        if path.endswith("/busy/commit/main"):  # somebody else commits during the push
            repo = hub.repo("datasets", "busy")
            repo.commit("refs/heads/main", repo.resolve("main"), repo.resolve("main").tree, "theirs", "")
        return

    hub.intercept(answer)
    messages = hub.json(
        TRY.format(data=str(data))
        + f"""
messages["good"] = attempt("{org}/good", tag="v1")
messages["no token"] = attempt("{org}/x", token="")
messages["bad token"] = attempt("{org}/x", token="hf_wrong")
messages["token with invalid characters"] = attempt("{org}/x", token="hf_geheim\u00e9")
messages["read-only token"] = attempt("{org}/x", token="hf_read")
messages["foreign namespace"] = attempt("strangers/x")
messages["foreign namespace, by pull request"] = attempt("strangers/public", create_pr=True)
messages["tag exists"] = attempt("{org}/good", tag="v1")
messages["public instead of private"] = attempt("{org}/good", private=True)
messages["tag as branch"] = attempt("{org}/good", revision="v1")
messages["no such pull request"] = attempt("{org}/good", revision="refs/pr/9")
messages["stale"] = attempt("{org}/busy")
print(json.dumps(messages))
"""
    )
    url = hub.url
    assert messages == {
        "good": None,
        "no token": "no Hub token found: log in with `hf auth login`, or set HF_TOKEN to one with write access",
        "bad token": f"{url} does not accept the token (401): run `hf auth login` or renew HF_TOKEN",
        "token with invalid characters": "the Hub token contains invalid characters: run `hf auth login` "
        "or set HF_TOKEN again",
        "read-only token": f"the token may not write to {org}/x (403): use one with write access to {org}, "
        "or propose the change to an existing repository with --create-pr",
        "foreign namespace": "the token may not write to strangers/x (403): use one with write access to strangers, "
        "or propose the change to an existing repository with --create-pr",
        "foreign namespace, by pull request": None,
        "tag exists": f"{org}/good already has a tag v1: choose another name, or delete it with `hf repos tag delete`",
        "public instead of private": f"{org}/good exists and is public: make it private in its settings, "
        "or leave out --private",
        "tag as branch": f"--revision v1 is a tag of {org}/good: name a branch",
        "no such pull request": f"{org}/good has no such branch or revision (404): Invalid rev id: refs/pr/9",
        "stale": f"{org}/busy received another commit during this push (412): nothing was overwritten; "
        "look at that commit, then push again",
    }
    assert set(hub.files("datasets", "busy")) == {".gitattributes"}
    assert len(hub.repo("datasets", "good").commits) == 2
    assert hub.server.store.repos["datasets", "strangers/public"].refs.keys() == {"refs/heads/main", "refs/pr/1"}


def test_command_line(hub, data):
    """Errors set the exit code and print one line; a dry run and usage errors contact no server."""
    push = ["python", "-m", "dialogue_cube", "push", "dataset", "--data", str(data), "--repo"]
    requests = len(hub.server.requests)

    dry = hub.run([*push, "org/name", "--dry-run"], env={"HF_TOKEN": None})
    assert "pairs/train-00000-of-00001.parquet" in dry.stdout
    assert "held back" in dry.stdout
    assert "no server was contacted" in dry.stdout

    missing = ["python", "-m", "dialogue_cube", "push", "dataset", "--data", str(data / "nothing")]
    missing_folder = hub.run([*missing, "--repo", "org/name"], check=False)
    assert missing_folder.returncode == 1
    assert missing_folder.stderr.startswith(f"error: --data {data}/nothing: no such folder; expected")

    usage = hub.run([*push, "org/name", "--nonsense"], check=False)
    assert usage.returncode == 2
    assert len(hub.server.requests) == requests

    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}"
    unreachable = hub.run([*push, "org/name"], env={"HF_ENDPOINT": closed}, check=False)
    assert unreachable.returncode == 1
    assert unreachable.stderr.startswith(f"error: cannot reach {closed} (")
    assert len(unreachable.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("repo", "message"),
    [
        ("name", "expected ORG/NAME"),
        ("a/b/c", "is not a repository name"),
        ("org/na me", "is not a repository name"),
    ],
)
def test_repository_names_are_checked(repo, message):
    with pytest.raises(PushError, match=message):
        Target(repo, "dataset", PushOptions())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"create_pr": True, "tag": "v1"}, "exclude each other"),
        ({"create_pr": True, "revision": "next"}, "leave out --revision"),
    ],
)
def test_contradictory_options_are_refused(options, message):
    with pytest.raises(PushError, match=message):
        PushOptions(**options)


def test_the_token_is_not_shown(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert str(PushError("two\nlines with hf_secret")) == "two lines with ***"


def test_downstream_alone_is_a_dataset(tmp_path):
    from push_scripts.push_dataset import push_dataset

    data = write_dataset(tmp_path / "data", {("downstream", "test"): [utterance("0")]})
    assert "downstream/test-00000-of-00001.parquet" in push_dataset(data, "org/name", PushOptions(dry_run=True)).sizes
