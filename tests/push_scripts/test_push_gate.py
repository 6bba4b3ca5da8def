"""The licence gate holds back restricted rows, however they are disguised."""

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
from support.quality_folder import in_parts

SECRET = "The secret word is xylograph"

RESTRICTED = {
    "not redistributable": {"redistributable": False},
    "redistributable is null": {"redistributable": None},
    "open licence, but not redistributable": {"redistributable": False, "license": "Apache-2.0"},
    "licence unknown": {"license": "unknown"},
    "licence empty": {"license": ""},
    "no licence": {"license": None},
    "own data marked redistributable": {"license": "LicenseRef-private"},
    "research licence marked redistributable": {"license": "LicenseRef-Microsoft-Research"},
    "licence that does not exist": {"license": "CC-BY-9.9"},
    "open licence, misspelled": {"license": " mit "},
    "restricted corpus under another licence": {"license": "MIT", "source": "smd"},
    "open corpus under another licence": {"license": "MIT", "source": "sgd"},
}
"""Columns of rows that must not be published. `redistributable` is true by default."""


@pytest.mark.parametrize("facts", RESTRICTED.values(), ids=RESTRICTED)
def test_a_restricted_row_is_held_back(tmp_path, facts):
    data = write_dataset(
        tmp_path / "data",
        {
            ("dialogues", "train"): [dialogue("open"), dialogue("restricted", SECRET, **facts)],
            ("pairs", "train"): [pair("open"), pair("alone", SECRET, **facts)],
            ("downstream", "train"): [utterance("open"), utterance("restricted", SECRET, **facts)],
        },
    )
    gate = push_dataset(data, "org/name", PushOptions(dry_run=True)).gate
    assert {config: rows for (config, _), rows in gate.held_back.items()} == {
        "dialogues": 1,
        "pairs": 1,
        "downstream": 1,
    }
    assert gate.licenses == ["MIT"]


def tricky_rows():
    """Restricted rows, each with the secret, among open rows."""
    restricted = [{"source": "closed", **facts} for facts in RESTRICTED.values()]
    return {
        ("dialogues", "train"): [
            dialogue("open0"),
            *(dialogue(f"c{i}", f"{SECRET} {i}", **facts) for i, facts in enumerate(restricted)),
            dialogue("open1"),
        ],
        ("dialogues", "test"): [dialogue("held", SECRET, redistributable=False)],  # a whole file
        ("pairs", "train"): [
            pair("open0", negatives=["No seat is left.", SECRET, f"Booked: {SECRET}"]),  # quotes a restricted row
            pair("held", SECRET),  # redistributable, but its dialogue is not
            pair("c0", SECRET, redistributable=False),
        ],
        ("downstream", "train"): [utterance("0", SECRET, redistributable=False)],  # a whole config
    }


def tricky_folder(folder):
    write_dataset(folder, tricky_rows(), shard_rows=4)
    drops = [
        drop("open0"),
        drop("open1", value=SECRET),  # the offending value is the text of a restricted row
        drop("held", SECRET),
        *(drop(f"x{i}", SECRET, **facts) for i, facts in enumerate(RESTRICTED.values())),
    ]
    pq.write_table(pa.Table.from_pylist(drops, DROPS.arrow_schema), folder / "quality/drops.parquet")
    members = [{"cluster_id": name, "dialogue_id": f"tiny/{name}", "source": "tiny"} for name in ("open0", "held")]
    members[0]["nearest_id"] = "tiny/held"
    pq.write_table(pa.Table.from_pylist(members, CLUSTERS.arrow_schema), folder / "quality/clusters.parquet")
    write_report(folder)
    shard = folder / "dialogues" / "train-00000-of-00004.parquet"
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
        shutil.copy(shard, folder / stray)
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
def test_no_restricted_row_reaches_even_a_private_repository(hub, stranger, tmp_path):
    data, repo = tricky_folder(tmp_path / "data"), f"{hub.namespace}/tricky"
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    script = ["python", "-m", "dialogue_cube", "push", "dataset", "--data", str(data), "--repo", repo, "--private"]
    output = hub.run(script).stdout
    assert hub.repo("datasets", "tricky").private
    files = hub.files("datasets", "tricky")
    assert files.keys() == PUBLISHED | {".gitattributes"}
    assert_no_secret(files)
    for blob in hub.server.store.blobs.folder.iterdir():  # nor is it uploaded without being committed
        assert b"xylograph" not in blob.read_bytes()
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before
    assert "Rows held back" in output
    assert yaml.safe_load(files["README.md"].decode().split("---\n")[1])["license"] == ["mit"]
    loaded = hub.json(
        f"""
import json
from datasets import load_dataset
print(json.dumps([load_dataset({repo!r}, c, split="train").to_list() for c in ("dialogues", "pairs-full")]))
""",
        python=stranger,
    )
    assert loaded == [[dialogue("open0"), dialogue("open1")], [pair("open0", negatives=["No seat is left."])]]


def test_parts_of_a_table_about_the_rows_pass_the_gate_too(tmp_path, hub, monkeypatch):
    hub.use_here(monkeypatch)
    data, repo = tricky_folder(tmp_path / "data"), f"{hub.namespace}/parts"
    push_dataset(data, repo)
    in_parts(data, "drops", 3)
    with pytest.raises(PushError, match="not listed"):
        push_dataset(data, repo)
    write_report(data)
    push_dataset(data, repo)
    files = hub.files("datasets", "parts")
    part = "quality/drops-{:05d}-of-{:05d}.parquet".format
    count = sum(name.startswith("quality/drops-") for name in files)
    names = {part(number, count) for number in range(count)}
    assert count > 1
    assert files.keys() == PUBLISHED - {"quality/drops.parquet"} | names | {".gitattributes"}
    drops = [row for name in sorted(names) for row in pq.read_table(io.BytesIO(files[name])).to_pylist()]
    assert [row["row_id"] for row in drops] == ["tiny/open0", "tiny/open1"]
    assert_no_secret({name: content for name, content in files.items() if name not in names})
    assert all(b"xylograph" not in content for content in files.values())
    (data / part(0, count)).unlink()
    with pytest.raises(PushError, match="drops shards are incomplete"):
        push_dataset(data, repo)


def test_a_text_that_an_open_row_has_too_is_not_held_back(tmp_path, hub, monkeypatch):
    restricted = pair("b", "Thank you.", positive=SECRET, redistributable=False)
    rows = {
        ("pairs", "train"): [pair("a", "Thank you.", negatives=[SECRET, "Thank you."], negative=SECRET), restricted]
    }
    hub.use_here(monkeypatch)
    push_dataset(write_dataset(tmp_path / "data", rows), f"{hub.namespace}/thanks")
    content = hub.files("datasets", "thanks")["pairs/train-00000-of-00001.parquet"]
    rows = pq.read_table(io.BytesIO(content))
    assert (rows["negatives"].to_pylist(), rows["negative"].to_pylist()) == ([["Thank you."]], ["Thank you."])


def test_the_gate_counts_the_rows_that_it_holds_back(tmp_path):
    result = push_dataset(tricky_folder(tmp_path / "data"), "org/name", PushOptions(dry_run=True))
    assert result.sizes.keys() == PUBLISHED
    assert result.gate.held_back_by_source() == {
        "cards": {"downstream": 1},
        "closed": {"dialogues": len(RESTRICTED) - 2},
        "sgd": {"dialogues": 1},
        "smd": {"dialogues": 1},
        "tiny": {"dialogues": 1, "pairs": 2},
    }
    assert f"{len(RESTRICTED) + 4} rows of the build are not here" in result.card
    assert result.published is None


def edit_rows(path, **columns):
    table = pq.read_table(path)
    for name, value in columns.items():
        new = pa.array([value] * len(table), table.schema.field(name).type)
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), new)
    path.unlink()
    pq.write_table(table, path)


def as_text(path):
    table = pq.read_table(path)
    index = table.schema.get_field_index("redistributable")
    pq.write_table(table.set_column(index, "redistributable", pa.array(["true"] * len(table))), path)


SHARD = "pairs/train-00000-of-00001.parquet"

EDITS = {
    "licence and source rewritten": lambda d: edit_rows(
        d / SHARD, redistributable=True, license="MIT", source="mine", dialogue_id="mine/1"
    ),
    "text added to an open row": lambda d: edit_rows(d / "pairs/test-00000-of-00001.parquet", anchor=SECRET),
    "text added to the negatives": lambda d: edit_rows(d / "pairs/test-00000-of-00001.parquet", negatives=[SECRET]),
    "text added to the drops": lambda d: pq.write_table(
        pa.Table.from_pylist([drop("open", SECRET)], DROPS.arrow_schema), d / "quality/drops.parquet"
    ),
    "text added to the clusters": lambda d: pq.write_table(
        pa.Table.from_pylist([{"cluster_id": SECRET, "dialogue_id": "tiny/a"}], CLUSTERS.arrow_schema),
        d / "quality/clusters.parquet",
    ),
    "a split added": lambda d: shutil.copy(d / SHARD, d / "pairs/validation-00000-of-00001.parquet"),
    "a shard replaced by a link to that of another dataset": lambda d: (
        (d / SHARD).rename(d.parent / "elsewhere.parquet"),
        edit_rows(d.parent / "elsewhere.parquet", redistributable=True, license="MIT", source="mine"),
        (d / SHARD).symlink_to(d.parent / "elsewhere.parquet"),
    ),
    "digests removed from the report": lambda d: (d / "quality/report.json").write_text(
        json.dumps({"format": "dialogue-cube dataset 2"})
    ),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_files_edited_after_the_build_are_not_published(tmp_path, edit):
    rows = {("pairs", "train"): [pair("c", SECRET, source="smd", license="unknown")], ("pairs", "test"): [pair("t")]}
    data = write_dataset(tmp_path / "data", rows)
    edit(data)
    with pytest.raises(PushError, match=r"changed since the build, or not listed in quality/report\.json; build"):
        push_dataset(data, "org/name", PushOptions(dry_run=True))


def test_a_column_redistributable_of_strings_is_refused(tmp_path):
    data = write_dataset(tmp_path / "data", {("pairs", "train"): [pair("a")]})
    as_text(data / SHARD)
    write_report(data)
    with pytest.raises(PushError, match=r"differing: redistributable\)"):
        push_dataset(data, "org/name", PushOptions(dry_run=True))


def test_a_folder_of_links_is_checked_like_their_targets(tmp_path):
    """The Hub's own cache is such a folder."""
    rows = {("pairs", "train"): [pair("a"), pair("b", SECRET, redistributable=False)]}
    data = write_dataset(tmp_path / "data", rows)
    linked = tmp_path / "linked"
    for path in [p for p in data.rglob("*") if p.is_file()]:
        target = linked / path.relative_to(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
    gate = push_dataset(linked, "org/name", PushOptions(dry_run=True)).gate
    assert (sum(gate.passed.values()), sum(gate.held_back.values())) == (1, 1)


def test_metadata_that_names_a_held_back_row_is_null(tmp_path, hub, monkeypatch):
    kept = '{"team": "sales"}'
    restricted = pair("b", "Thank you.", source="closed", redistributable=False)
    rows = {("pairs", "train"): [pair("a", metadata='{"reply_to": "closed/b"}'), pair("c", metadata=kept), restricted]}
    hub.use_here(monkeypatch)
    push_dataset(write_dataset(tmp_path / "data", rows), f"{hub.namespace}/metadata")
    content = hub.files("datasets", "metadata")["pairs/train-00000-of-00001.parquet"]
    assert pq.read_table(io.BytesIO(content))["metadata"].to_pylist() == [None, kept]
