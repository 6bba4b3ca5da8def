"""The licence gate: every way to get a forbidden row past it that we could think of."""

import io
import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from dataset_builders.schema import CLUSTERS, DROPS
from hub.invented import dialogue, drop, pair, utterance, write_dataset, write_report
from push_scripts.errors import PushError
from push_scripts.push_dataset import push_dataset
from push_scripts.push_options import PushOptions

SECRET = "The secret word is xylograph"

CLOSED = {
    "says that it may not": {"redistributable": False},
    "does not say": {"redistributable": None},
    "open licence, but says that it may not": {"redistributable": False, "license": "Apache-2.0"},
    "licence unknown": {"license": "unknown"},
    "licence empty": {"license": ""},
    "no licence": {"license": None},
    "own data, relabelled": {"license": "LicenseRef-private"},
    "research licence, relabelled": {"license": "LicenseRef-Microsoft-Research"},
    "licence that nobody knows": {"license": "CC-BY-9.9"},
    "open licence, spelled otherwise": {"license": " mit "},
    "closed corpus under another licence": {"license": "MIT", "source": "smd"},
    "open corpus under another licence": {"license": "MIT", "source": "sgd"},
}
"""Facts of rows that must not leave. They say `redistributable` unless they say otherwise."""


@pytest.mark.parametrize("facts", CLOSED.values(), ids=CLOSED)
def test_a_row_that_must_not_leave(tmp_path, facts):
    data = write_dataset(
        tmp_path / "data",
        {
            ("dialogues", "train"): [dialogue("open"), dialogue("shut", SECRET, **facts)],
            ("pairs", "train"): [pair("open"), pair("alone", SECRET, **facts)],
            ("downstream", "train"): [utterance("open"), utterance("shut", SECRET, **facts)],
        },
    )
    gate = push_dataset(data, "org/name", PushOptions(dry_run=True)).gate
    assert {config: rows for (config, _), rows in gate.held.items()} == {"dialogues": 1, "pairs": 1, "downstream": 1}
    assert gate.licenses == ["MIT"]


def tricky_rows():
    """Rows that must not leave, each with the secret, among rows that may."""
    closed = [{"source": "closed", **facts} for facts in CLOSED.values()]
    return {
        ("dialogues", "train"): [
            dialogue("open0"),
            *(dialogue(f"c{i}", f"{SECRET} {i}", **facts) for i, facts in enumerate(closed)),
            dialogue("open1"),
        ],
        ("dialogues", "test"): [dialogue("held", SECRET, redistributable=False)],  # a whole file
        ("pairs", "train"): [
            pair("open0", negatives=["No seat is left.", SECRET, f"Booked: {SECRET}"]),  # quotes a row that may not
            pair("held", SECRET),  # says that it may leave, but its dialogue may not
            pair("c0", SECRET, redistributable=False),
        ],
        ("downstream", "train"): [utterance("0", SECRET, redistributable=False)],  # a whole config
    }


def tricky_folder(folder):
    write_dataset(folder, tricky_rows(), shard_rows=4)
    noted = [
        drop("open0"),
        drop("open1", value=SECRET),  # the offending value is a text of a row that may not leave
        drop("held", SECRET),
        *(drop(f"x{i}", SECRET, **facts) for i, facts in enumerate(CLOSED.values())),
    ]
    pq.write_table(pa.Table.from_pylist(noted, DROPS.arrow_schema), folder / "quality/drops.parquet")
    members = [{"cluster_id": "1", "dialogue_id": f"tiny/{name}", "source": "tiny"} for name in ("open0", "held")]
    members[0]["nearest_id"] = "tiny/held"
    pq.write_table(pa.Table.from_pylist(members, CLUSTERS.arrow_schema), folder / "quality/clusters.parquet")
    write_report(folder)
    one = folder / "dialogues" / "train-00000-of-00004.parquet"
    for stray in (
        "dialogues/train.parquet",
        "dialogues/extra/train-00000-of-00001.parquet",
        "dialogues/train-00000-of-00001.parquet.bak",
        "dataset/dialogues/train-00000-of-00001.parquet",
        "raw/train-00000-of-00001.parquet",
        "quality/leaks.parquet",
        "README.md.orig",
        ".env",
        ".git/config",
        "notes.txt",
    ):
        (folder / stray).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(one, folder / stray)
    (folder / "pairs" / "more").symlink_to(folder / "raw")
    (folder / "README.md").write_text(f"---\nlicense: mit\nconfigs: []\n---\nAll rows are free. {SECRET}\n")
    return folder


PUBLISHED = {
    "README.md",
    "quality/report.json",
    "quality/drops.parquet",
    "quality/clusters.parquet",
    "dialogues/train-00000-of-00001.parquet",
    "pairs/train-00000-of-00001.parquet",
}


def assert_no_secret(files):
    for path, content in files.items():
        assert b"xylograph" not in content, path
        if path.endswith(".parquet"):
            table = pq.read_table(io.BytesIO(content))
            assert len(table), path
            assert b"huggingface" in table.schema.metadata
            if "clusters" in path:
                assert table.select(["dialogue_id", "nearest_id"]).to_pylist() == [
                    {"dialogue_id": "tiny/open0", "nearest_id": None}
                ]
                continue
            assert "xylograph" not in str(table.to_pylist()), path
            assert table["redistributable"].to_pylist() == [True] * len(table)
            assert table["license"].to_pylist() == ["MIT"] * len(table)


@pytest.mark.slow
def test_nothing_forbidden_arrives_even_in_a_private_repository(hub, stranger, tmp_path):
    data, repo = tricky_folder(tmp_path / "data"), f"{hub.namespace}/tricky"
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    script = ["python", "-m", "dialogue_cube", "push", "dataset", "--data", str(data), "--repo", repo, "--private"]
    said = hub.run(script).stdout
    assert hub.repo("datasets", "tricky").private
    files = hub.files("datasets", "tricky")
    assert files.keys() == PUBLISHED | {".gitattributes"}
    assert_no_secret(files)
    for blob in hub.server.store.blobs.folder.iterdir():  # not uploaded without being committed either
        assert b"xylograph" not in blob.read_bytes()
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before
    assert "Rows held back" in said
    assert yaml.safe_load(files["README.md"].decode().split("---\n")[1])["license"] == ["mit"]
    loaded = hub.json(
        f"""
import json
from datasets import load_dataset
print(json.dumps([load_dataset({repo!r}, c, split="train").to_list() for c in ("dialogues", "pairs")]))
""",
        python=stranger,
    )
    assert loaded == [[dialogue("open0"), dialogue("open1")], [pair("open0", negatives=["No seat is left."])]]


def test_what_an_open_row_says_too_is_no_secret(tmp_path, hub, monkeypatch):
    shut = pair("b", "Thank you.", positive=SECRET, redistributable=False)
    rows = {("pairs", "train"): [pair("a", "Thank you.", negatives=["Thank you.", SECRET]), shut]}
    hub.use_here(monkeypatch)
    push_dataset(write_dataset(tmp_path / "data", rows), f"{hub.namespace}/thanks")
    content = hub.files("datasets", "thanks")["pairs/train-00000-of-00001.parquet"]
    assert pq.read_table(io.BytesIO(content))["negatives"].to_pylist() == [["Thank you."]]


def test_gate_says_and_counts_what_it_held(tmp_path):
    done = push_dataset(tricky_folder(tmp_path / "data"), "org/name", PushOptions(dry_run=True))
    assert done.sizes.keys() == PUBLISHED
    assert done.gate.held_by_source() == {
        "cards": {"downstream": 1},
        "closed": {"dialogues": len(CLOSED) - 2},
        "sgd": {"dialogues": 1},
        "smd": {"dialogues": 1},
        "tiny": {"dialogues": 1, "pairs": 2},
    }
    assert f"{len(CLOSED) + 4} rows of the build are not here" in done.card
    assert done.published is None


def edit_rows(path, **columns):
    table = pq.read_table(path)
    for name, value in columns.items():
        new = pa.array([value] * len(table), table.schema.field(name).type)
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), new)
    path.unlink()
    pq.write_table(table, path)


def as_text(path):
    table = pq.read_table(path)
    place = table.schema.get_field_index("redistributable")
    pq.write_table(table.set_column(place, "redistributable", pa.array(["true"] * len(table))), path)


SHARD = "pairs/train-00000-of-00001.parquet"

EDITS = {
    "licence and source rewritten": lambda d: edit_rows(
        d / SHARD, redistributable=True, license="MIT", source="mine", dialogue_id="mine/1"
    ),
    "texts put into an open row": lambda d: edit_rows(d / "pairs/test-00000-of-00001.parquet", anchor=SECRET),
    "texts put into the negatives": lambda d: edit_rows(d / "pairs/test-00000-of-00001.parquet", negatives=[SECRET]),
    "texts put into the drops": lambda d: pq.write_table(
        pa.Table.from_pylist([drop("open", SECRET)], DROPS.arrow_schema), d / "quality/drops.parquet"
    ),
    "texts put into the clusters": lambda d: pq.write_table(
        pa.Table.from_pylist([{"cluster_id": SECRET, "dialogue_id": "tiny/a"}], CLUSTERS.arrow_schema),
        d / "quality/clusters.parquet",
    ),
    "one split more": lambda d: shutil.copy(d / SHARD, d / "pairs/validation-00000-of-00001.parquet"),
    "a shard that is a link to another dataset's": lambda d: (
        (d / SHARD).rename(d.parent / "elsewhere.parquet"),
        edit_rows(d.parent / "elsewhere.parquet", redistributable=True, license="MIT", source="mine"),
        (d / SHARD).symlink_to(d.parent / "elsewhere.parquet"),
    ),
    "digests taken out of the report": lambda d: (d / "quality/report.json").write_text(
        json.dumps({"format": "dialogue-cube dataset 2"})
    ),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_files_edited_after_the_build_are_not_published(tmp_path, edit):
    rows = {("pairs", "train"): [pair("c", SECRET, source="smd", license="unknown")], ("pairs", "test"): [pair("t")]}
    data = write_dataset(tmp_path / "data", rows)
    edit(data)
    with pytest.raises(PushError, match=r"not what quality/report\.json says the build wrote; build the dataset again"):
        push_dataset(data, "org/name", PushOptions(dry_run=True))


def test_redistributable_as_text_is_refused(tmp_path):
    data = write_dataset(tmp_path / "data", {("pairs", "train"): [pair("a")]})
    as_text(data / SHARD)
    write_report(data)
    with pytest.raises(PushError, match=r"differing: redistributable\)"):
        push_dataset(data, "org/name", PushOptions(dry_run=True))


def test_a_folder_of_links_is_judged_by_what_they_lead_to(tmp_path):
    """As the Hub's own cache lays a dataset out: nothing but links."""
    rows = {("pairs", "train"): [pair("a"), pair("b", SECRET, redistributable=False)]}
    data = write_dataset(tmp_path / "data", rows)
    linked = tmp_path / "linked"
    for path in [p for p in data.rglob("*") if p.is_file()]:
        target = linked / path.relative_to(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
    gate = push_dataset(linked, "org/name", PushOptions(dry_run=True)).gate
    assert (sum(gate.passed.values()), sum(gate.held.values())) == (1, 1)
