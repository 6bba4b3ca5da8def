"""Pushing a dataset to the loopback Hub: the files, the card, and loading it without this package."""

import hashlib
import json
import shutil

import pyarrow.parquet as pq
import pytest
import yaml

from dataset_builders.card.views import STORED
from dataset_builders.schema import FEATURES
from hub.invented import dialogue, pair, utterance, write_dataset
from push_scripts.errors import PushError
from push_scripts.push_dataset import push_dataset
from push_scripts.push_options import PushOptions

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
from push_scripts.push_options import PushOptions
data, repo = {data!r}, {repo!r}
first = push_dataset(data, repo, PushOptions(tag="v1"))
branch = push_dataset({other!r}, repo, PushOptions(revision="next"))
pull_request = push_dataset({other!r}, repo, PushOptions(create_pr=True, message="Fewer rows"))
again = push_dataset(data, repo)
print([first.published.changed, again.published.changed, pull_request.published.revision])
"""

LOAD_ALL = """
import json
from datasets import get_dataset_config_names, load_dataset
repo, loaded = {repo!r}, {{}}
for revision in (None, "v1", "next", "refs/pr/1"):
    names = get_dataset_config_names(repo, revision=revision)
    for config in names if revision is None else [name for name in names if name in {stored!r}]:
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
def test_a_pushed_dataset_loads_without_this_package(hub, stranger, tmp_path):
    fewer = {key: rows[:3] for key, rows in ROWS.items() if key != ("pairs", "validation")}
    data = write_dataset(tmp_path / "data", ROWS, shard_rows=3)
    other = write_dataset(tmp_path / "other", fewer)
    repo = f"{hub.namespace}/corpus"
    output = hub.run(PUSH_ALL.format(data=str(data), other=str(other), repo=repo)).stdout
    assert output.splitlines()[-1] == "[True, False, 'refs/pr/1']"
    commits = hub.repo("datasets", "corpus").commits.values()
    # one commit per push, and none for a push that changes nothing
    assert sorted(c.title for c in commits) == ["Fewer rows", "Upload dataset", "Upload dataset", "initial commit"]

    loaded = hub.json(LOAD_ALL.format(repo=repo, stored=[*STORED.values()]), python=stranger)
    expected = {f"{rev} {STORED[c]} {s}": (c, rows) for rev in (None, "v1") for (c, s), rows in ROWS.items()}
    # the other folder has fewer shards and splits: the branch and the pull request have none of the old ones
    expected |= {f"{rev} {STORED[c]} {s}": (c, rows) for rev in ("next", "refs/pr/1") for (c, s), rows in fewer.items()}
    views = {name: loaded.pop(name) for name in set(loaded) - set(expected)}
    assert {name.split()[1] for name in views} == {"pairs", "triplets", "messages", "cards"}
    for whole, stream, features, stream_features in views.values():
        assert (whole, features) == (stream, stream_features)
    assert views["None pairs train"][0] == [
        {"anchor": row["anchor"], "positive": row["positive"]} for row in ROWS["pairs", "train"]
    ]
    assert views["None cards train"][2]["label"] == {"names": ["cards/eaten"], "_type": "ClassLabel"}
    assert loaded.keys() == expected.keys()
    for key, (config, rows) in expected.items():
        whole, stream, features, stream_features = loaded[key]
        assert whole == rows, key
        assert stream == rows, key
        assert features == stream_features == json.loads(json.dumps(FEATURES[config].to_dict())), key


def test_the_card_describes_the_published_rows(tmp_path):
    """The card in the folder, with ORG/NAME and licences that no row has, is not published."""
    closed = {"redistributable": False, "source": "closed"}
    rows = {
        **ROWS,
        ("pairs", "train"): [*ROWS["pairs", "train"], pair("x", **closed)],
        ("downstream", "train"): [*ROWS["downstream", "train"], utterance("x", **closed)],
    }
    data = write_dataset(tmp_path / "data", rows)
    assert "cc-by-9.9" in (data / "README.md").read_text()
    card = push_dataset(data, "org/name", PushOptions(dry_run=True)).card
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["license"] == ["mit"]
    assert header["language"] == ["en", "ru"]
    assert {c["config_name"]: [f["split"] for f in c["data_files"]] for c in header["configs"]} == {
        "pairs": ["train", "validation", "test"],
        "triplets": ["train", "validation", "test"],
        "messages": ["train", "test"],
        "cards": ["train", "test"],  # but none for the intents of `closed`
        "pairs-full": ["train", "validation", "test"],
        "dialogues": ["train", "test"],
        "downstream": ["train", "test"],
    }
    assert "| closed | unknown | 1 | 1 |" in card
    assert "| Own data: tiny (`tiny`) | MIT | as stated by the owner of the data | 8 | 16 | 9 |  |" in card
    assert 'load_dataset("org/name", "pairs", split="train")' in card
    assert "@misc{org_name," in card
    assert "ORG/NAME" not in card


def test_the_card_can_be_read_before_the_push(tmp_path):
    data, file = write_dataset(tmp_path / "data", ROWS), tmp_path / "card.md"
    for _ in range(2):  # an earlier card is replaced
        pushed = push_dataset(data, "org/name", PushOptions(dry_run=True, card=str(file)))
        assert file.read_text(encoding="utf-8") == pushed.card
    file.write_text("---\ntitle: My holidays\n---\n")
    with pytest.raises(PushError, match=r"card\.md: exists and was not made by `dialogue-cube push`"):
        PushOptions(card=str(file))


def test_the_report_describes_the_published_rows(hub, tmp_path):
    rows = {("pairs", "train"): [pair("a"), pair("b", redistributable=False)], ("pairs", "test"): [pair("t")]}
    data, repo = write_dataset(tmp_path / "data", rows), f"{hub.namespace}/report"
    built = json.loads((data / "quality/report.json").read_text())
    hub.run(["python", "-m", "dialogue_cube", "push", "dataset", "--data", str(data), "--repo", repo])
    files = hub.files("datasets", "report")
    report = json.loads(files["quality/report.json"])
    assert report["held_back"] == {"tiny": {"pairs": 1}}
    assert report["built_from"] == built["fingerprint"] != report["fingerprint"]
    digests = {n: hashlib.sha256(c).hexdigest() for n, c in files.items() if n.endswith(".parquet")}
    assert report["files"] == digests
    assert report["files"]["pairs/test-00000-of-00001.parquet"] == built["files"]["pairs/test-00000-of-00001.parquet"]


def test_a_push_accepts_a_build(sample_dataset):
    result = push_dataset(sample_dataset, "org/name", PushOptions(dry_run=True))
    paths = {p.relative_to(sample_dataset).as_posix() for p in sample_dataset.rglob("*") if p.is_file()}
    assert result.sizes.keys() <= paths
    assert {path.split("/")[0] for path in result.sizes} == {*FEATURES, "quality", "README.md"}
    assert sum(result.gate.passed.values()) + sum(result.gate.held_back.values()) == sum(
        pq.read_metadata(path).num_rows for path in sample_dataset.glob("*/*-of-*.parquet")
    )


def test_a_dataset_without_open_rows_is_refused(tmp_path):
    data = write_dataset(tmp_path / "data", {("pairs", "train"): [pair("a", redistributable=False)]})
    with pytest.raises(PushError, match=r"none of its 1 rows may be redistributed \(sources: tiny\)"):
        push_dataset(data, "org/name", PushOptions(dry_run=True))


def test_the_gate_filters_many_row_groups_and_shards(tmp_path):
    rows = [pair(f"a{i}", redistributable=i % 3 != 0) for i in range(12_000)]
    data = write_dataset(tmp_path / "data", {("pairs", "train"): rows}, shard_rows=6_000)
    gate = push_dataset(data, "org/name", PushOptions(dry_run=True)).gate
    assert sum(gate.passed.values()) == 8_000
    assert sum(gate.held_back.values()) == 4_000


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: shutil.rmtree(d), "no such folder; expected a folder made by `dialogue-cube build"),
        (lambda d: (d / "quality/report.json").unlink(), "quality/report.json is missing; expected"),
        (lambda d: (d / "quality/report.json").write_text("[1"), "damaged"),
        (lambda d: (d / "quality/report.json").write_text("[1]"), r"it is \[1\] instead of an object"),
        (lambda d: [shutil.rmtree(d / c) for c in FEATURES], "no dialogues/, pairs/ or downstream/"),
        (lambda d: (d / "pairs/train-00001-of-00003.parquet").unlink(), "incomplete or from two builds"),
        (lambda d: (d / "pairs/test-00000-of-00001.parquet").write_text("x"), "not a readable parquet file"),
        (
            lambda d: shutil.copy(d / "dialogues/test-00000-of-00001.parquet", d / "pairs"),
            r"the columns are not those of this version \(differing: .*anchor",
        ),
    ],
)
def test_a_folder_that_is_not_a_dataset_is_refused(tmp_path, spoil, message):
    data = write_dataset(tmp_path / "data", ROWS, shard_rows=3)
    spoil(data)
    with pytest.raises(PushError, match=message) as error:
        push_dataset(data, "org/name", PushOptions(dry_run=True))
    assert "\n" not in str(error.value)
