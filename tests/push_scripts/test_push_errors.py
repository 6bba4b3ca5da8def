"""What a user can get wrong about repository, token and options, and the one line that says so; see `test_push_faults`."""

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

said = dict()
"""


def test_refusals_in_one_line(hub, data):
    org = hub.namespace
    hub.server.store.create("datasets", f"{org}/busy")
    hub.server.store.create("datasets", "strangers/public")

    def answer(request):
        path = request.scope["path"]
        if path.endswith("/busy/commit/main"):  # someone else's commit arrives while ours is on its way
            repo = hub.repo("datasets", "busy")
            repo.commit("refs/heads/main", repo.resolve("main"), repo.resolve("main").tree, "theirs", "")
        return

    hub.intercept(answer)
    said = hub.json(
        TRY.format(data=str(data))
        + f"""
said["good"] = attempt("{org}/good", tag="v1")
said["no token"] = attempt("{org}/x", token="")
said["bad token"] = attempt("{org}/x", token="hf_wrong")
said["token that no header can hold"] = attempt("{org}/x", token="hf_geheim\u00e9")
said["read-only token"] = attempt("{org}/x", token="hf_read")
said["someone else's"] = attempt("strangers/x")
said["someone else's, by pull request"] = attempt("strangers/public", create_pr=True)
said["tag exists"] = attempt("{org}/good", tag="v1")
said["public, asked for private"] = attempt("{org}/good", private=True)
said["tag as branch"] = attempt("{org}/good", revision="v1")
said["no such pull request"] = attempt("{org}/good", revision="refs/pr/9")
said["stale"] = attempt("{org}/busy")
print(json.dumps(said))
"""
    )
    url = hub.url
    assert said == {
        "good": None,
        "no token": "no Hub token found: log in with `hf auth login`, or set HF_TOKEN to one with write access",
        "bad token": f"{url} does not accept the token (401): run `hf auth login` or renew HF_TOKEN",
        "token that no header can hold": "the Hub token holds characters that no token has: run `hf auth login` "
        "or set HF_TOKEN again",
        "read-only token": f"the token may not write to {org}/x (403): take one with write access to {org}, "
        "or propose the change to an existing repository with --create-pr",
        "someone else's": "the token may not write to strangers/x (403): take one with write access to strangers, "
        "or propose the change to an existing repository with --create-pr",
        "someone else's, by pull request": None,
        "tag exists": f"{org}/good has a tag v1 already: choose another, or `hf repos tag delete` it",
        "public, asked for private": f"{org}/good exists and is public: make it private in its settings, "
        "or leave out --private",
        "tag as branch": f"--revision v1 is a tag of {org}/good: name a branch",
        "no such pull request": f"{org}/good has no such branch or revision (404): Invalid rev id: refs/pr/9",
        "stale": f"{org}/busy got another commit while this push was under way (412): nothing was overwritten; "
        "look at that commit, then push again",
    }
    assert set(hub.files("datasets", "busy")) == {".gitattributes"}
    assert len(hub.repo("datasets", "good").commits) == 2
    assert hub.server.store.repos["datasets", "strangers/public"].refs.keys() == {"refs/heads/main", "refs/pr/1"}


def test_command_line(hub, data):
    """Exit codes, one line on stderr, never the token; a dry run and usage errors contact no server."""
    push = ["python", "-m", "dialogue_cube", "push", "dataset", "--data", str(data), "--repo"]
    asked = len(hub.server.requests)

    dry = hub.run([*push, "org/name", "--dry-run"], env={"HF_TOKEN": None})
    assert "pairs/train-00000-of-00001.parquet" in dry.stdout
    assert "held back" in dry.stdout
    assert "no server was contacted" in dry.stdout

    front_door = ["python", "-m", "dialogue_cube", "push", "dataset", "--data", str(data / "nothing")]
    mistaken = hub.run([*front_door, "--repo", "org/name"], check=False)
    assert mistaken.returncode == 1
    assert mistaken.stderr.startswith(f"error: --data {data}/nothing: no such folder; expected")

    usage = hub.run([*push, "org/name", "--nonsense"], check=False)
    assert usage.returncode == 2
    assert len(hub.server.requests) == asked

    with socket.create_server(("127.0.0.1", 0)) as free:
        dead = f"http://127.0.0.1:{free.getsockname()[1]}"
    unreachable = hub.run([*push, "org/name"], env={"HF_ENDPOINT": dead}, check=False)
    assert unreachable.returncode == 1
    assert unreachable.stderr.startswith(f"error: cannot reach {dead} (")
    assert len(unreachable.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("repo", "message"),
    [
        ("name", "expected ORG/NAME"),
        ("a/b/c", "is not a repository name"),
        ("org/na me", "is not a repository name"),
    ],
)
def test_bad_repository_names(repo, message):
    with pytest.raises(PushError, match=message):
        Target(repo, "dataset", PushOptions())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"create_pr": True, "tag": "v1"}, "exclude each other"),
        ({"create_pr": True, "revision": "next"}, "leave out --revision"),
    ],
)
def test_contradictory_options(options, message):
    with pytest.raises(PushError, match=message):
        PushOptions(**options)


def test_token_is_not_shown(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert str(PushError("two\nlines with hf_secret")) == "two lines with ***"


def test_downstream_alone_is_a_dataset(tmp_path):
    from push_scripts.push_dataset import push_dataset

    data = write_dataset(tmp_path / "data", {("downstream", "test"): [utterance("0")]})
    assert "downstream/test-00000-of-00001.parquet" in push_dataset(data, "org/name", PushOptions(dry_run=True)).sizes
