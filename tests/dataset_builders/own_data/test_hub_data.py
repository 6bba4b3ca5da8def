"""Own data from datasets on the Hub: which files are read, splits, and what can go wrong."""

import io

import pyarrow as pa
import pytest
from huggingface_hub import CommitOperationAdd, HfApi, constants
from pyarrow import parquet
from starlette.responses import JSONResponse

from dataset_builders.common.errors import DataError
from dataset_builders.own_data import load
from dataset_builders.own_data.containers import hub as hub_data
from dataset_builders.own_data.containers.inputs import sort_out
from dataset_builders.own_data.containers.rows import open_rows

WILDCHAT = {
    "conversation_hash": "8a4f",
    "model": "gpt-4",
    "conversation": [
        {"content": "Где чай?", "role": "user", "language": "Russian", "toxic": False, "turn_identifier": 7},
        {"content": "На полке.", "role": "assistant", "language": "Russian", "toxic": False, "turn_identifier": 7},
    ],
    "turn": 1,
    "language": "Russian",
}
LMSYS = {
    "conversation_id": "33f0",
    "model": "vicuna-13b",
    "conversation": [{"content": "Hi", "role": "user"}, {"content": "Hello!", "role": "assistant"}],
    "turn": 1,
    "language": "English",
    "openai_moderation": [{"categories": {"hate": False}, "flagged": False}],
}
OASST = {
    "message_id": "b",
    "parent_id": "a",
    "text": "Hello!",
    "role": "assistant",
    "lang": "en",
    "message_tree_id": "a",
    "labels": {"name": ["spam", "quality"], "value": [0.0, 0.75], "count": [3, 3]},
}


def table(*rows):
    buffer = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(list(rows)), buffer)
    return buffer.getvalue()


@pytest.fixture
def dataset(hub, monkeypatch, tmp_path):
    """Function that makes a dataset on the loopback Hub and returns its name; clients have an empty cache."""
    hub.use_here(monkeypatch)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + template[template.index("/{") :])
    monkeypatch.chdir(tmp_path)

    def make(files, name="chats"):
        repo = f"{hub.namespace}/{name}"
        api = HfApi(endpoint=hub.url)
        api.create_repo(repo, repo_type="dataset", exist_ok=True)
        additions = [CommitOperationAdd(path, content) for path, content in files.items()]
        api.create_commit(repo, additions, commit_message="files", repo_type="dataset")
        return repo

    return make


def splits(path):
    return [(name, split) for name, _, split in hub_data.local_files(path)]


@pytest.mark.parametrize("row", [WILDCHAT, LMSYS, OASST], ids=["wildchat", "lmsys", "oasst"])
def test_rows_and_splits_of_a_dataset(dataset, row, hub):
    other = row | {"language": "English", "lang": "de"}
    repo = dataset(
        {
            "README.md": b"---\nlicense: odc-by\n---\n# Chats\n",
            "data/train-00000-of-00002.parquet": table(row, row),
            "data/train-00001-of-00002.parquet": table(row),
            "data/validation-00000-of-00001.parquet": table({k: other[k] for k in row}),
            "2023-04-12_ready.trees.jsonl.gz": b"\x1f\x8b not read",
        }
    )
    found = hub_data.find(f"hf://datasets/{repo}")
    assert [(name, split) for name, _, split in found.files] == [
        ("data/train-00000-of-00002.parquet", "train"),
        ("data/train-00001-of-00002.parquet", "train"),
        ("data/validation-00000-of-00001.parquet", "validation"),
    ]
    assert found.commit == hub.repo("datasets", "chats").resolve("main").oid
    assert {entry.file for entry in found.skipped} == {"README.md", "2023-04-12_ready.trees.jsonl.gz"}
    files = sort_out(repo, [(name, path) for name, path, _ in found.files]).data
    rows = [[row for _, row in open_rows(file).read()] for file in files]
    assert rows[0] == [row, row]
    assert [len(part) for part in rows] == [2, 1, 1]


@pytest.mark.parametrize("row", [WILDCHAT, LMSYS], ids=["wildchat", "lmsys"])
def test_dialogues_of_a_dataset(dataset, row):
    files = {f"data/{split}-00000-of-00001.parquet": table(row) for split in ("train", "test")}
    data = load(f"hf://datasets/{dataset(files)}")
    turns = [turn["content"] for turn in row["conversation"]]
    dialogues = {dialogue.split: [turn.text for turn in dialogue.turns] for dialogue in data.dialogues}
    assert dialogues == {"test": turns, "train": turns}


CARD = b"""---
configs:
- config_name: en
  default: true
  data_files:
  - {split: train, path: "en/train-*"}
  - {split: test_sft, path: ["en/**/late*.jsonl"]}
- config_name: de
  data_files: "de/*.jsonl"
- config_name: all
  data_files: "**"
- config_name: late
  data_dir: en/deep
---
"""


def test_configs_of_the_card(dataset):
    names = [
        "en/train-1.jsonl",
        "en/deep/er/late1.jsonl",
        "en/late2.jsonl",
        "en/other.jsonl",
        "de/a.jsonl",
        "de/b/c.jsonl",
    ]
    repo = dataset({"README.md": CARD, **dict.fromkeys(names, b"{}")})
    assert splits(repo) == [
        ("en/deep/er/late1.jsonl", "test"),
        ("en/late2.jsonl", "test"),
        ("en/train-1.jsonl", "train"),
    ]
    assert splits(f"{repo}:de") == splits(f"hf://datasets/{repo}:de") == [("de/a.jsonl", "all")]
    assert splits(f"hf://datasets/{repo}/de") == [("de/a.jsonl", "all"), ("de/b/c.jsonl", "all")]
    assert splits(f"hf://datasets/{repo}/en/other.jsonl") == [("en/other.jsonl", "all")]
    assert [name for name, _ in splits(f"{repo}:all")] == sorted(names)
    assert splits(f"{repo}:late") == [("en/deep/er/late1.jsonl", "all")]
    found = hub_data.find(repo)
    assert [found.split(name) for name in ("en/late2.jsonl", "en/late2.jsonl/x", "de/a.jsonl")] == [
        "test",
        "test",
        "all",
    ]
    with pytest.raises(
        DataError, match=f"{repo}:fr: no config fr; name one, as in {repo}:CONFIG; there are: en, de, all, late"
    ):
        hub_data.find(f"{repo}:fr")
    with pytest.raises(DataError, match=r"/fr: no data file there; the dataset holds de/a\.jsonl"):
        hub_data.find(f"hf://datasets/{repo}/fr")


def test_files_of_a_dataset_without_configs(dataset):
    names = ["chat.csv", "more/chat.csv", "chat.jsonl", "script.py", "dataset_infos.json", "LICENSE"]
    repo = dataset(dict.fromkeys(names, b"x"))
    assert splits(repo) == [("chat.csv", "all"), ("more/chat.csv", "all")]
    dataset({"test.csv": b"x", "train/a.csv": b"x"})
    assert splits(repo) == [("test.csv", "test"), ("train/a.csv", "train")]


def test_the_cache_serves_without_a_connection(dataset, hub, monkeypatch):
    repo = dataset({"a.csv": b"old", "b.csv": b"x"})
    first = hub_data.find(repo).commit
    dataset({"a.csv": b"new"})
    found = hub_data.find(repo)
    assert found.commit != first
    (old,) = hub_data.local_files(f"hf://datasets/{repo}@{first}/a.csv")
    assert old[1].read_bytes() == b"old"
    requests = len(hub.server.requests)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hub_data.find(repo) == found
    assert [path.read_bytes() for _, path, _ in found.files] == [b"new", b"x"]
    assert len(hub.server.requests) == requests
    found.files[1][1].unlink()  # as after a download that was interrupted
    with pytest.raises(DataError, match="the Hub cannot be reached, and the cache has only some of its files"):
        hub_data.find(repo)


def test_a_dataset_that_cannot_be_reached(dataset, hub, monkeypatch):
    repo = dataset({"a.csv": b"x"})
    hub.intercept(lambda request: JSONResponse({}, 500))
    with pytest.raises(DataError, match=f"^{repo}: no such file or folder, the Hub cannot be reached"):
        hub_data.find(repo)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=f"^{repo}: no such file or folder, the Hub cannot be reached"):
        hub_data.find(repo)


def test_gated_missing_and_private_datasets(dataset, hub):
    repo = dataset({"README.md": b"# Chats\n", "a.csv": b"x"})
    headers = {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted."}
    hub.intercept(lambda r: JSONResponse({}, 403, headers) if "/resolve/" in r.scope["path"] else None)
    with pytest.raises(DataError, match=rf"ask for it at {hub.url}/datasets/{repo}, then log in with `hf auth login`"):
        hub_data.find(f"hf://datasets/{repo}")
    hub.server.intercept = None
    with pytest.raises(
        DataError, match=r"no such file or folder, and no dataset .*/absent on the Hub that you can read"
    ):
        hub_data.find(f"{hub.namespace}/absent")
    with pytest.raises(DataError, match="has no such revision; check the branch, tag or commit"):
        hub_data.find(f"hf://datasets/{repo}@v9")
    empty = dataset({"model.bin": b"x"}, name="empty")
    with pytest.raises(DataError, match=r"no data file in the dataset; it holds model\.bin"):
        hub_data.find(empty)


def test_local_paths_are_left_alone(dataset, hub, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "org").mkdir()
    (tmp_path / "org" / "chats").mkdir()
    requests = len(hub.server.requests)
    for path in (
        "data",
        "org/chats",
        "data/absent",
        "absent/faq.csv",
        "absent/faq.jsonl.gz",
        "absent/faq.zip",
        "a/b/c",
    ):
        assert hub_data.find(path) is None
    for path in ("hf://org/model", "hf://datasets/one", "hf://spaces/a/b", "hf:/spaces/a/b"):
        with pytest.raises(DataError, match=r"expected hf://datasets/ORG/NAME, with @REVISION, /FOLDER or :CONFIG"):
            hub_data.find(path)
    assert len(hub.server.requests) == requests
