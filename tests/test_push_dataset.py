"""Publishing a dataset over the loopback Hub, and the licence gate before it."""

import io
import json
import re
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from dataset_builders.schema import CLUSTERS, DROPS, FEATURES
from hub.invented import dialogue, drop, pair, utterance, write_dataset
from push_scripts.errors import PushError
from push_scripts.push_dataset import push_dataset

ROWS = {
    ("dialogues", "train"): [dialogue(f"a{i}", f"Hello number {i}") for i in range(7)],
    ("dialogues", "test"): [dialogue("t0", "Ein Gruß, 你好, \u2028 и привет")],
    ("pairs", "train"): [pair(f"a{i}", f"Hello number {i}") for i in range(7)],
    ("pairs", "validation"): [pair("v0", context=[])],
    ("pairs", "test"): [pair("t0")],
    ("downstream", "train"): [utterance(str(i), scenario="cards" if i % 2 else None) for i in range(5)],
    ("downstream", "test"): [utterance("t", is_out_of_scope=True)],
}

PUSH_ALL = """
from push_scripts.push_dataset import push_dataset
data, repo = {data!r}, {repo!r}
first = push_dataset(data, repo, tag="v1")
branch = push_dataset({other!r}, repo, revision="next")
pull_request = push_dataset({other!r}, repo, create_pr=True, message="Fewer rows")
again = push_dataset(data, repo)
print([first.published.changed, again.published.changed, pull_request.published.revision])
"""

LOAD_ALL = """
import json
from datasets import get_dataset_config_names, load_dataset
repo, loaded = {repo!r}, {{}}
for revision in (None, "v1", "next", "refs/pr/1"):
    for config in get_dataset_config_names(repo, revision=revision):
        whole = load_dataset(repo, config, revision=revision)
        stream = load_dataset(repo, config, revision=revision, streaming=True)
        for split in whole:
            loaded[f"{{revision}} {{config}} {{split}}"] = [
                whole[split].to_list(), list(stream[split]),
                whole[split].features.to_dict(), stream[split].features.to_dict(),
            ]
print(json.dumps(loaded))
"""


@pytest.mark.slow
def test_what_is_pushed_is_what_a_stranger_loads(hub, tmp_path):
    fewer = {key: rows[:3] for key, rows in ROWS.items() if key != ("pairs", "validation")}
    data = write_dataset(tmp_path / "data", ROWS, shard_rows=3)
    other = write_dataset(tmp_path / "other", fewer)
    repo = f"{hub.namespace}/corpus"
    said = hub.run(PUSH_ALL.format(data=str(data), other=str(other), repo=repo)).stdout
    assert said.splitlines()[-1] == "[True, False, 'refs/pr/1']"
    commits = hub.repo("datasets", "corpus").commits.values()
    # one commit a push, none for the push that changed nothing
    assert sorted(c.title for c in commits) == ["Fewer rows", "Upload dataset", "Upload dataset", "initial commit"]

    loaded = hub.json(LOAD_ALL.format(repo=repo), stranger=True)
    expected = {f"{rev} {c} {s}": (c, rows) for rev in (None, "v1") for (c, s), rows in ROWS.items()}
    # the other folder has fewer shards and splits: a branch and a pull request show none of the old ones
    expected |= {f"{rev} {c} {s}": (c, rows) for rev in ("next", "refs/pr/1") for (c, s), rows in fewer.items()}
    assert loaded.keys() == expected.keys()
    for key, (config, rows) in expected.items():
        whole, stream, features, stream_features = loaded[key]
        assert whole == rows, key
        assert stream == rows, key
        assert features == stream_features == json.loads(json.dumps(FEATURES[config].to_dict())), key


SECRET = "The secret word is xylograph"
CLOSED = [
    {"redistributable": False},
    {"redistributable": None},
    {"redistributable": False, "license": "Apache-2.0"},
    {"redistributable": True, "license": "unknown"},
    {"redistributable": True, "license": "  Unknown "},
    {"redistributable": True, "license": None},
    {"redistributable": True, "license": ""},
]


def tricky_rows():
    """Rows that must not leave, each with the secret, among rows that may."""
    closed = [{**facts, "source": "closed"} for facts in CLOSED]
    return {
        ("dialogues", "train"): [
            dialogue("open0"),
            *(dialogue(f"c{i}", f"{SECRET} {i}", **facts) for i, facts in enumerate(closed)),
            dialogue("open1"),
        ],
        ("dialogues", "test"): [dialogue("held", SECRET, redistributable=False)],  # a whole file
        ("pairs", "train"): [
            pair("open0"),
            pair("held", SECRET),  # says that it may leave, but its dialogue may not
            *(pair(f"p{i}", f"{SECRET} {i}", **facts) for i, facts in enumerate(closed)),  # in `pairs` only
        ],
        ("downstream", "train"): [utterance("0", SECRET, **facts) for facts in closed],  # a whole config
    }


def tricky_folder(folder):
    write_dataset(folder, tricky_rows(), shard_rows=4)
    one = folder / "dialogues" / "train-00000-of-00003.parquet"
    for stray in (
        "dialogues/train.parquet",
        "dialogues/extra/train-00000-of-00001.parquet",
        "dialogues/train-00000-of-00001.parquet.bak",
        "raw/train-00000-of-00001.parquet",
        "quality/leaks.parquet",
        "README.md.orig",
        ".env",
        ".git/config",
        "notes.txt",
    ):
        (folder / stray).parent.mkdir(exist_ok=True)
        shutil.copy(one, folder / stray)
    noted = [drop("open0"), drop("held", SECRET), *(drop(f"x{i}", SECRET, **facts) for i, facts in enumerate(CLOSED))]
    pq.write_table(pa.Table.from_pylist(noted, DROPS.arrow_schema), folder / "quality/drops.parquet")
    members = [{"cluster_id": "1", "dialogue_id": f"tiny/{name}", "source": "tiny"} for name in ("open0", "held")]
    pq.write_table(pa.Table.from_pylist(members, CLUSTERS.arrow_schema), folder / "quality/clusters.parquet")
    return folder


def assert_no_secret(files):
    for path, content in files.items():
        assert b"xylograph" not in content, path
        if path.endswith(".parquet"):
            table = pq.read_table(io.BytesIO(content))
            assert len(table), path
            if "clusters" in path:
                assert table["dialogue_id"].to_pylist() == ["tiny/open0"]
                continue
            assert "xylograph" not in str(table.to_pylist()), path
            assert table["redistributable"].to_pylist() == [True] * len(table)
            assert table["license"].to_pylist() == ["MIT"] * len(table)
            assert b"huggingface" in table.schema.metadata


PUBLISHED = {
    "README.md",
    "quality/report.json",
    "quality/drops.parquet",
    "quality/clusters.parquet",
    "dialogues/train-00000-of-00001.parquet",
    "pairs/train-00000-of-00001.parquet",
}


@pytest.mark.slow
def test_gate_cannot_be_tricked(hub, tmp_path):
    data, repo = tricky_folder(tmp_path / "data"), f"{hub.namespace}/tricky"
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    script = ["python", "-m", "push_scripts.push_dataset", "--data", str(data), "--repo", repo, "--private"]
    said = hub.run(script).stdout
    files = hub.files("datasets", "tricky")
    assert files.keys() == PUBLISHED | {".gitattributes"}
    assert_no_secret(files)
    for blob in hub.server.store.blobs.folder.iterdir():  # not uploaded without being committed either
        assert b"xylograph" not in blob.read_bytes()
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before
    assert re.search(r"closed\s+│\s+pairs\s+│\s+7 ", said)
    assert re.search(r"all\s+│\s+│\s+23 ", said)
    loaded = hub.json(
        f"""
import json
from datasets import load_dataset
print(json.dumps([load_dataset({repo!r}, c, split="train").to_list() for c in ("dialogues", "pairs")]))
"""
    )
    assert loaded == [[dialogue("open0"), dialogue("open1")], [pair("open0")]]


def test_gate_tells_what_it_held(tmp_path):
    data = tricky_folder(tmp_path / "data")
    done = push_dataset(data, "org/name", dry_run=True)
    assert done.sizes.keys() == PUBLISHED
    n = len(CLOSED)
    assert done.gate.held_by_source() == {
        "closed": {"dialogues": n, "downstream": n, "pairs": n},
        "tiny": {"dialogues": 1, "pairs": 1},
    }
    assert done.gate.licenses == ["MIT"]
    assert done.published is None


def test_card_and_report_tell_what_is_published(tmp_path):
    from push_scripts.dataset_card import adapt_card, adapt_report
    from push_scripts.license_gate import GateReport

    data = write_dataset(tmp_path / "data", ROWS)
    card, paths = (data / "README.md").read_text(), ["pairs/train-00000-of-00001.parquet"]
    gate = GateReport()
    gate.passed["pairs", "tiny", "MIT"] = 1
    gate.held["pairs", "tiny"] = 1234
    adapted = adapt_card(card, "org/name", gate, paths)
    header = yaml.safe_load(adapted.split("---")[1])
    assert header["license"] == ["mit"]
    assert header["configs"] == [
        {"config_name": "pairs", "data_files": [{"split": "train", "path": "pairs/train-*.parquet"}]}
    ]
    assert "| tiny | 1,234 |" in adapted
    assert 'load_dataset("org/name", "pairs")' in adapted
    file = data / paths[0]
    report = json.loads(adapt_report({"fingerprint": "0" * 16}, gate, {paths[0]: file}))
    assert report["held_back"] == {"tiny": {"pairs": 1234}}
    assert report["files"].keys() == set(paths)
    assert report["fingerprint"] != "0" * 16

    untouched = adapt_card(card, "org/name", GateReport(), [f"{c}/{s}-00000-of-00001.parquet" for c, s in ROWS])
    assert yaml.safe_load(untouched.split("---")[1]) == yaml.safe_load(card.split("---")[1])


def test_what_build_writes_is_what_push_expects(sample_dataset):
    done = push_dataset(sample_dataset, "org/name", dry_run=True)
    there = {p.relative_to(sample_dataset).as_posix() for p in sample_dataset.rglob("*") if p.is_file()}
    assert done.sizes.keys() <= there
    assert {path.split("/")[0] for path in done.sizes} == {*FEATURES, "quality", "README.md"}
    assert sum(done.gate.passed.values()) + sum(done.gate.held.values()) == sum(
        pq.read_metadata(path).num_rows for path in sample_dataset.glob("*/*-of-*.parquet")
    )


def test_nothing_left_to_push(tmp_path):
    data = write_dataset(tmp_path / "data", {("pairs", "train"): [pair("a", redistributable=False)]})
    with pytest.raises(PushError, match=r"none of its 1 rows may be redistributed \(sources: tiny\)"):
        push_dataset(data, "org/name", dry_run=True)


def test_many_row_groups_and_shards(tmp_path):
    rows = [pair(f"a{i}", redistributable=i % 3 != 0) for i in range(12_000)]
    data = write_dataset(tmp_path / "data", {("pairs", "train"): rows}, shard_rows=6_000)
    gate = push_dataset(data, "org/name", dry_run=True).gate
    assert sum(gate.passed.values()) == 8_000
    assert sum(gate.held.values()) == 4_000


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: shutil.rmtree(d), "no such folder; expected a folder made by `dialogue-cube build"),
        (lambda d: (d / "quality/report.json").unlink(), "quality/report.json is missing; expected"),
        (lambda d: (d / "quality/report.json").write_text("[1"), "damaged"),
        (lambda d: (d / "quality/report.json").write_text("[1]"), "not that of a built dataset"),
        (lambda d: (d / "README.md").unlink(), "README.md is missing"),
        (lambda d: (d / "README.md").write_text("# Hello"), "no YAML header with `configs:`"),
        (lambda d: [shutil.rmtree(d / c) for c in FEATURES], "no dialogues/, pairs/ or downstream/"),
        (lambda d: (d / "pairs/train-00001-of-00003.parquet").unlink(), "incomplete or of two builds"),
        (lambda d: (d / "pairs/test-00000-of-00001.parquet").write_text("x"), "not a readable parquet file"),
        (
            lambda d: shutil.copy(d / "dialogues/test-00000-of-00001.parquet", d / "pairs"),
            r"columns are not those of this version \(differing: .*anchor",
        ),
    ],
)
def test_folder_that_is_no_dataset(tmp_path, spoil, message):
    data = write_dataset(tmp_path / "data", ROWS, shard_rows=3)
    spoil(data)
    with pytest.raises(PushError, match=message) as error:
        push_dataset(data, "org/name", dry_run=True)
    assert "\n" not in str(error.value)


def test_redistributable_as_text_is_refused(tmp_path):
    import pyarrow as pa

    data = write_dataset(tmp_path / "data", ROWS)
    path = data / "pairs/test-00000-of-00001.parquet"
    table = pq.read_table(path)
    column = table.schema.get_field_index("redistributable")
    pq.write_table(table.set_column(column, "redistributable", pa.array(["true"] * len(table))), path)
    with pytest.raises(PushError, match=r"differing: redistributable\)"):
        push_dataset(data, "org/name", dry_run=True)
