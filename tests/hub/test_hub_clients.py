"""The real clients work with the loopback Hub as with the real one. For models see `test_push_model`."""

import textwrap

import pytest

DATASETS = """
import json
from pathlib import Path
import datasets
from datasets import Dataset, DatasetDict, List, Features, Value, load_dataset
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download

repo, api = "{repo}", HfApi()
turn = {{"speaker": Value("string"), "text": Value("string")}}
features = Features({{"id": Value("int32"), "turns": List(turn)}})

def rows(n, word):
    turn = lambda i: {{"speaker": "user", "text": f"{{word}} {{i}}"}}
    return Dataset.from_list([{{"id": i, "turns": [turn(i)] * (i % 3)}} for i in range(n)], features=features)

both = DatasetDict(train=rows(50, "red"), test=rows(5, "red"))
both.push_to_hub(repo, "first", num_shards={{"train": 3, "test": 1}})
DatasetDict(train=rows(7, "blue")).push_to_hub(repo, "second")
api.create_tag(repo, tag="v1", repo_type="dataset")
api.create_branch(repo, branch="next", repo_type="dataset")
DatasetDict(train=rows(8, "green")).push_to_hub(repo, "second", revision="next")
DatasetDict(train=rows(9, "pink")).push_to_hub(repo, "second", create_pr=True)

loaded = load_dataset(repo, "first")
assert loaded["train"].features == features
assert loaded["train"].to_list() == rows(50, "red").to_list()
streamed = load_dataset(repo, "first", split="train", streaming=True)
assert list(streamed) == rows(50, "red").to_list()
revisions = (None, "v1", "next", "refs/pr/1")
lengths = [len(load_dataset(repo, "second", split="train", revision=r)) for r in revisions]
refs = api.list_repo_refs(repo, repo_type="dataset", include_pull_requests=True)
fs = HfFileSystem()
parquet = fs.glob(f"datasets/{{repo}}/second/*.parquet")
with fs.open(parquet[0]) as file:
    file.seek(-4, 2)  # a Range request
    magic = file.read().decode()
print(json.dumps({{
    "lengths": lengths,
    "branches": sorted(r.name for r in refs.branches), "tags": [r.name for r in refs.tags],
    "prs": [r.ref for r in refs.pull_requests], "magic": magic,
    "shards": len(fs.glob(f"datasets/{{repo}}/first/train-*-of-00003.parquet")),
    "commits": [c.title for c in api.list_repo_commits(repo, repo_type="dataset")],
}}))
"""

FILES = """
import json
from pathlib import Path
from huggingface_hub import CommitOperationAdd, CommitOperationDelete as Delete
from huggingface_hub import HfApi, hf_hub_download, snapshot_download

repo, api = "{repo}", HfApi()
Path("up/deep").mkdir(parents=True)
Path("up/a.txt").write_text("alpha")
Path("up/deep/b.bin").write_bytes(bytes(range(256)) * 1000)
api.create_repo(repo, private=True)
first = api.upload_folder(repo_id=repo, folder_path="up")
down = Path(snapshot_download(repo))
assert (down / "deep/b.bin").read_bytes() == bytes(range(256)) * 1000

def error_of(call):
    try:
        call()
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        return [type(error).__name__, status]

add = lambda name: CommitOperationAdd(name, name.encode())
second = api.create_commit(repo, [add("c"), Delete("deep/", is_folder=True)], commit_message="two")
errors = {{
    "missing repo": error_of(lambda: api.repo_info("{namespace}/nothing")),
    "missing file": error_of(lambda: hf_hub_download(repo, "nothing")),
    "missing revision": error_of(lambda: hf_hub_download(repo, "a.txt", revision="nothing")),
    "stale parent": error_of(
        lambda: api.create_commit(repo, [add("d")], commit_message="x", parent_commit=first.oid)
    ),
    "exists": error_of(lambda: api.create_repo(repo)),
    "foreign namespace": error_of(lambda: api.create_repo("strangers/x")),
    "read token": error_of(lambda: HfApi(token="hf_read").create_commit(repo, [add("d")], commit_message="x")),
    "bad token": error_of(lambda: HfApi(token="hf_wrong").whoami()),
    "hidden": error_of(lambda: HfApi(token=False).repo_info(repo)),
}}
unchanged = api.create_commit(repo, [add("c")], commit_message="nothing new").oid == second.oid
api.create_repo(repo, exist_ok=True)
pr = api.create_commit(repo, [add("e")], commit_message="please", create_pr=True)
listing = sorted(api.list_repo_files(repo))
in_pr = sorted(api.list_repo_files(repo, revision=pr.pr_revision))
sizes = [i.size for i in api.get_paths_info(repo, ["a.txt", "gone"], expand=True)]
print(json.dumps([errors, unchanged, listing, in_pr, sizes]))
"""


@pytest.mark.slow
def test_datasets_branches_tags_and_pull_requests(hub):
    facts = hub.json(DATASETS.format(repo=f"{hub.namespace}/data"))
    assert facts["lengths"] == [7, 7, 8, 9]
    assert facts["branches"] == ["main", "next"]
    assert facts["tags"] == ["v1"]
    assert facts["prs"] == ["refs/pr/1"]
    assert facts["shards"] == 3
    assert facts["magic"] == "PAR1"
    assert facts["commits"][-1] == "initial commit"


def test_files_and_errors(hub):
    errors, unchanged, listing, in_pr, sizes = hub.json(
        FILES.format(repo=f"{hub.namespace}/files", namespace=hub.namespace)
    )
    assert errors == {
        "missing repo": ["RepositoryNotFoundError", 404],
        "missing file": ["RemoteEntryNotFoundError", 404],
        "missing revision": ["RevisionNotFoundError", 404],
        "stale parent": ["HfHubHTTPError", 412],
        "exists": ["HfHubHTTPError", 409],
        "foreign namespace": ["HfHubHTTPError", 403],
        "read token": ["HfHubHTTPError", 403],
        "bad token": ["HfHubHTTPError", 401],
        "hidden": ["RepositoryNotFoundError", 401],
    }
    assert unchanged
    assert listing == [".gitattributes", "a.txt", "c"]
    assert in_pr == [".gitattributes", "a.txt", "c", "e"]
    assert sizes == [5]


def test_hf_command(hub):
    repo = f"{hub.namespace}/by-hand"
    work = hub.folder / "work"
    (work / "up").mkdir(parents=True)
    (work / "up" / "x.txt").write_text("by hand")
    script = textwrap.dedent(f"""
        set -e
        hf auth whoami
        hf repos create {repo} --type dataset
        hf upload {repo} {work}/up . --repo-type dataset
        hf repos tag create {repo} v1 --repo-type dataset
        hf download {repo} x.txt --repo-type dataset --revision v1 --local-dir {work}/down
    """)
    result = hub.run(["bash", "-c", script])
    assert "tester" in result.stdout
    assert (work / "down" / "x.txt").read_text() == "by hand"
    assert hub.files("datasets", "by-hand", "v1")["x.txt"] == b"by hand"
