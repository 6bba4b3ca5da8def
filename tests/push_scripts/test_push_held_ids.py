"""No id or text of a held-back row reaches the Hub in any column or file, even if the build dropped the row."""

import io
import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_builders.corpus.build import build_dataset
from dataset_builders.corpus.options import BuildOptions
from dataset_builders.own_data import load, own_builders
from dataset_builders.quality.config import QualityConfig
from dataset_builders.schema import CLUSTERS, DROPS
from hub.invented import dialogue, drop, pair, utterance, write_dataset, write_report
from push_scripts.errors import PushError
from push_scripts.held_back import HeldBack
from push_scripts.push_dataset import push_dataset
from push_scripts.push_options import PushOptions

SECRETS = (b"xylograph", b"acme/", b"smd/")
"""Every private text and id contains the first; ids of own data and of the restricted corpus begin with the others."""


def messages(*texts):
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]


def secret_dialogue(number):
    return [
        f"My xylograph number {number} arrived with a broken handle, can you replace it?",
        f"We replace xylograph {number} within the week, please send it back to our workshop.",
        f"Thank you, I shall post xylograph {number} tomorrow morning.",
    ]


def texts_of(folder, split, count):
    rows = pq.read_table(folder / f"dialogues/{split}-00000-of-00001.parquet").to_pylist()
    return [[turn["text"] for turn in row["turns"]] for row in rows if row["source"] == "multiwoz"][:count]


@pytest.fixture(scope="module")
def raw(sample_raw, sample_dataset, tmp_path_factory):
    """Raw files of an open corpus, a restricted one, and private dialogues that repeat the open ones and each other."""
    folder = tmp_path_factory.mktemp("held")
    for name in ("multiwoz", "banking77"):
        shutil.copytree(sample_raw / name, folder / "raw" / name)
    train, test = (texts_of(sample_dataset, split, 20) for split in ("train", "test"))
    own = {
        # leaks: copies of open test dialogues and of private ones; then dialogues with one speaker, which are dropped
        "train": [*test, *map(secret_dialogue, range(10)), *([f"A xylograph {i}, please, quick!"] for i in range(5))],
        "validation": [secret_dialogue(20)],
        # copies of open training dialogues, so that those are the leaks
        "test": [*train, *map(secret_dialogue, range(5))],
    }
    (folder / "acme").mkdir()
    for split, dialogues in own.items():
        records = [{"id": f"xylograph-{split}-{i}", "messages": messages(*texts)} for i, texts in enumerate(dialogues)]
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (folder / "acme" / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    (folder / "raw" / "smd").mkdir()
    for split, dialogues in {
        "train": [*test[:8], *map(secret_dialogue, range(40, 44))],
        "test": [*train[:8], *map(secret_dialogue, range(40, 44))],
    }.items():
        records = [
            {
                "dialogue": [
                    {"turn": ("driver", "assistant")[i % 2], "data": {"utterance": text}}
                    for i, text in enumerate(texts)
                ],
                "scenario": {"task": {"intent": "weather"}, "uuid": f"xylograph-{split}-{number}"},
            }
            for number, texts in enumerate(dialogues)
        ]
        (folder / "raw" / "smd" / f"kvret_{split}_public.json").write_text(json.dumps(records), encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=[("train", "validation", "test"), ("train",)], ids=["all splits", "train only"])
def built(request, raw, cache_dir, tmp_path_factory):
    """Datasets of all splits, and of one: the ids of some duplicates are then in no table of rows or drops."""
    out = tmp_path_factory.mktemp("built") / "dataset"
    options = BuildOptions(quality=QualityConfig.of({"one_sided": "drop"}, "here"), splits=request.param)
    own = own_builders(load(raw / "acme", "acme"), cache_dir=cache_dir)
    build_dataset([], raw / "raw", out, options, own=own, cache_dir=cache_dir)
    return out


def contents(path, content):
    """The bytes of a file; of a parquet file also its cells, statistics and metadata."""
    yield content
    if path.endswith(".parquet"):
        with pq.ParquetFile(io.BytesIO(content)) as file:
            yield json.dumps(file.read().to_pylist(), ensure_ascii=False).encode()
            yield str(file.metadata.metadata).encode()
            for group in range(file.num_row_groups):
                columns = file.metadata.row_group(group).to_dict()["columns"]
                yield str([column["statistics"] for column in columns]).encode()


def test_ids_of_private_duplicates_are_not_published(built, hub, monkeypatch):
    drops = pq.read_table(built / "quality/drops.parquet").to_pylist()
    rows = [row for path in built.glob("dialogues/*.parquet") for row in pq.read_table(path).to_pylist()]
    clusters = pq.read_table(built / "quality/clusters.parquet").to_pylist()
    restricted = ("acme", "smd")
    # this build could reveal ids: dropped private dialogues are members of clusters, and drops of open rows name them
    row_ids = {row["dialogue_id"] for row in rows}
    assert {m["source"] for m in clusters if m["dialogue_id"] not in row_ids} >= {"acme", "smd"}
    assert any(d["source"] == "multiwoz" and d["value"].split("/")[0] in restricted for d in drops)
    assert any(m["source"] == "multiwoz" and (m["nearest_id"] or "").split("/")[0] in restricted for m in clusters)
    assert {d["filter"] for d in drops if d["source"] == "acme"} >= {"leak", "one_sided"}

    hub.use_here(monkeypatch)
    push_dataset(built, f"{hub.namespace}/duplicates")
    files = hub.files("datasets", "duplicates")
    assert {"quality/drops.parquet", "quality/clusters.parquet", "quality/report.json", "README.md"} <= files.keys()
    for path, content in files.items():
        for part in contents(path, content):
            assert [secret for secret in SECRETS if secret in part] == [], path


def test_the_published_dataset_is_complete(built, hub, monkeypatch):
    """All open rows, their drops and clusters are published, and the report is right about them."""
    hub.use_here(monkeypatch)
    push_dataset(built, f"{hub.namespace}/whole")
    files = hub.files("datasets", "whole")
    for name in ("drops", "clusters"):
        before = pq.read_table(built / f"quality/{name}.parquet").to_pylist()
        after = pq.read_table(io.BytesIO(files[f"quality/{name}.parquet"])).to_pylist()
        expected = [row for row in before if row["source"] not in ("acme", "smd")]
        assert len(after) == len(expected) > 0
        for old, new in zip(expected, after, strict=True):
            assert {key: value for key, value in old.items() if new[key] != value}.keys() <= {
                *("value", "nearest_id", "similarity", "kind")
            }
    built_report = json.loads((built / "quality/report.json").read_text())
    report = json.loads(files["quality/report.json"])
    assert report["sources"] == {n: facts for n, facts in built_report["sources"].items() if n not in ("acme", "smd")}
    assert report["rows"]["pairs"].keys() == {"multiwoz"}
    assert not any({"acme", "smd"} & set(pair.split("|")) for pair in report["duplicates"]["dialogues"])
    written_sources = {
        name for path in built.glob("*/*-of-*.parquet") for name in pq.read_table(path)["source"].to_pylist()
    }
    assert report["held_back"].keys() == written_sources & {"acme", "smd"}
    assert ("| acme | LicenseRef-private |" in files["README.md"].decode()) == ("acme" in written_sources)


OPEN = {("dialogues", "train"): [dialogue("open")], ("pairs", "train"): [pair("open")]}


def make_folder(path, tables=OPEN, drops=(), clusters=(), **report):
    write_dataset(path, tables)
    for name, entries, features in (("drops", drops, DROPS), ("clusters", clusters, CLUSTERS)):
        pq.write_table(pa.Table.from_pylist(list(entries), features.arrow_schema), path / f"quality/{name}.parquet")
    write_report(path)
    file = path / "quality/report.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | report))
    return path


def push_and_read(data, hub, monkeypatch, name):
    hub.use_here(monkeypatch)
    push_dataset(data, f"{hub.namespace}/notes")
    content = hub.files("datasets", "notes")[f"quality/{name}.parquet"]
    return pq.read_table(io.BytesIO(content)).to_pylist()


PRIVATE = {"source": "mine", "license": "LicenseRef-private", "redistributable": False}

DROPS_AND_VALUES = {
    "names a dropped private dialogue": ("mine/1", None),
    "names a pair of that dialogue": ("mine/1#3", None),
    "names that dialogue in a sentence": ("equal to mine/1, mostly", None),
    "names a private dialogue that no table has": ("mine/77", None),
    "names a dialogue of a restricted corpus that is not in the build": ("smd/train/5", None),
    "quotes a private text": ("what a secret this is", None),
    "names an open row": ("tiny/other", "tiny/other"),
    "names an open source whose name ends like the private one": ("not-mine/1", "not-mine/1"),
    "is a number": ("1", "1"),
}


@pytest.mark.parametrize(("value", "published"), DROPS_AND_VALUES.values(), ids=DROPS_AND_VALUES)
def test_the_value_of_the_drop_of_an_open_row(tmp_path, hub, monkeypatch, value, published):
    drops = [
        drop("open", value=value),
        # held back, although its value names an open row
        drop("1", "Hello | what a secret this is", value="tiny/open", **PRIVATE),
        drop("2", source="not-mine"),
    ]
    data = make_folder(tmp_path / "data", drops=drops)
    entries = push_and_read(data, hub, monkeypatch, "drops")
    assert [(row["row_id"], row["value"]) for row in entries] == [
        ("tiny/open", published),
        ("not-mine/2", "not-mine/other"),
    ]


def test_members_of_clusters_are_published_if_their_source_is_open(tmp_path, hub, monkeypatch):
    names = ["tiny/open", "tiny/dropped", "smd/1", "mine/1", "stranger/1", "tiny/closed", "noted/1"]
    members = [{"cluster_id": name, "dialogue_id": name, "source": name.split("/")[0]} for name in names]
    members += [{"cluster_id": "c", "dialogue_id": "tiny/unnamed", "source": None}]
    members += [{"cluster_id": "c", "dialogue_id": None, "source": "tiny"}]
    for member in members:
        member |= {"nearest_id": "stranger/1", "similarity": 1.0, "kind": "equal"}
    rows = OPEN | {("dialogues", "test"): [dialogue("closed", license="unknown")]}
    # `noted` is an open source of the build, which dropped all its rows
    sources = {
        "noted": {"license": "MIT", "redistributable": True},
        "mine": {"license": "LicenseRef-private", "redistributable": False},
    }
    data = make_folder(tmp_path / "data", rows, clusters=members, sources=sources)
    entries = push_and_read(data, hub, monkeypatch, "clusters")
    none = {"nearest_id": None, "similarity": None, "kind": None}
    assert entries == [
        {"cluster_id": name, "dialogue_id": name, "source": name.split("/")[0], **none}
        for name in ("tiny/open", "tiny/dropped", "noted/1")
    ]


DOUBTFUL = {
    "dialogue without source": ("dialogues", dialogue("x", source=None)),
    "dialogue without id": ("dialogues", dialogue("x") | {"dialogue_id": None}),
    "dialogue without licence": ("dialogues", dialogue("x", license=None)),
    "pair without source": ("pairs", pair("x", source=None)),
    "pair without id": ("pairs", pair("x") | {"pair_id": None}),
    "pair without dialogue": ("pairs", pair("x") | {"dialogue_id": None}),
    "utterance without source": ("downstream", utterance("x", source=None)),
    "utterance without id": ("downstream", utterance("x") | {"utterance_id": None}),
    "open pair with an id of a restricted corpus": ("pairs", pair("x") | {"pair_id": "smd/train/1#0"}),
    "open dialogue with an id of a restricted corpus": ("dialogues", dialogue("x") | {"dialogue_id": "smd/dev/1"}),
    "open pair of a source that is private in the report": ("pairs", pair("x", source="noted")),
}


@pytest.mark.parametrize(("config", "row"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_a_row_of_doubtful_origin_is_held_back(tmp_path, config, row):
    open_row = {"dialogues": dialogue, "pairs": pair, "downstream": utterance}[config]("open")
    sources = {"noted": {"license": "LicenseRef-private", "redistributable": False}}
    data = make_folder(tmp_path / "data", {(config, "train"): [open_row, row]}, sources=sources)
    gate = push_dataset(data, "org/name", PushOptions(dry_run=True)).gate
    assert (sum(gate.passed.values()), sum(gate.held_back.values())) == (1, 1)


def test_pairs_of_the_same_intent_need_no_dialogue(tmp_path):
    row = pair("x", pair_type="same_intent") | {"dialogue_id": None}
    data = make_folder(tmp_path / "data", {("pairs", "train"): [row]})
    assert sum(push_dataset(data, "org/name", PushOptions(dry_run=True)).gate.passed.values()) == 1


SECRET = "nobody but us says this"

LEFTOVERS = {
    "id in a context": ("pairs", pair("a", context=[{"speaker": "user", "text": "see mine/1."}]), "context"),
    "id in a text": ("pairs", pair("a", "as in (mine/1)"), "anchor"),
    "id among domains": ("dialogues", dialogue("a", domains=["mine/1"]), "domains"),
    "id in a label": ("downstream", utterance("a", label="cards/mine/1"), "label"),
    "id as the original id": ("dialogues", dialogue("a", original_id="mine/1"), "original_id"),
    "text in a context": ("pairs", pair("a", context=[{"speaker": "user", "text": SECRET}]), "context"),
    "text as a scenario": ("dialogues", dialogue("a", scenario=SECRET), "scenario"),
}


@pytest.mark.parametrize(("config", "row", "column"), LEFTOVERS.values(), ids=LEFTOVERS)
def test_an_id_or_text_that_passes_the_gate_stops_the_push(tmp_path, hub, monkeypatch, config, row, column):
    drops = [drop("1", SECRET, **PRIVATE)]
    data = make_folder(tmp_path / "data", {(config, "train"): [row]}, drops=drops)
    hub.use_here(monkeypatch)
    with pytest.raises(PushError, match=rf"{config}/train-00000-of-00001\.parquet, {column}\S*: ") as error:
        push_dataset(data, f"{hub.namespace}/leftover")
    assert "mine/1" not in str(error.value)
    assert SECRET not in str(error.value)
    assert ("datasets", f"{hub.namespace}/leftover") not in hub.server.store.repos


@pytest.mark.parametrize("note", [{"examples": ["mine/1"]}, {"mine/1": 2}, {"example": SECRET}])
def test_a_report_that_names_or_quotes_a_private_row_stops_the_push(tmp_path, note):
    data = make_folder(tmp_path / "data", drops=[drop("1", SECRET, **PRIVATE)], later=note)
    with pytest.raises(PushError, match=r"quality/report\.json, text: (names|quotes) a held-back row"):
        push_dataset(data, "org/name", PushOptions(dry_run=True))


def test_a_private_source_without_rows_is_not_in_the_report(tmp_path, hub, monkeypatch):
    """Only its drops are held back; digests and figures are those of the published rows."""
    counts = {"in": 1, "out": 0, "dropped": {"leak": 1}, "flagged": {}}
    data = make_folder(
        tmp_path / "data",
        drops=[drop("1", **PRIVATE)],
        sources={"mine": {"license": "LicenseRef-private", "redistributable": False}},
        rows={"dialogues": {"mine": counts, "tiny": counts}},
        leaks={"before": {"dialogue": {"mine": {"train-test": 1}, "tiny": {"train-test": 1}}}},
        duplicates={"dialogues": {"mine|tiny": 1, "tiny|mine": 1, "tiny|tiny": 1}},
    )
    hub.use_here(monkeypatch)
    push_dataset(data, f"{hub.namespace}/gone")
    files = hub.files("datasets", "gone")
    report = json.loads(files["quality/report.json"])
    assert report["sources"] == {}
    assert report["rows"] == {"dialogues": {"tiny": counts}}
    assert report["leaks"] == {"before": {"dialogue": {"tiny": {"train-test": 1}}}}
    assert report["duplicates"] == {"dialogues": {"tiny|tiny": 1}}
    assert report["files"].keys() == {path for path in files if path.endswith(".parquet")}
    assert not any(b"mine/" in part or b'"mine' in part for path in files for part in contents(path, files[path]))


NAMED = {
    "mine/a b/1": True,
    "mine/a b/1#4": True,
    "«mine/a b/1»": True,
    "raw/mine/a b/1.": True,
    "mine/a b/12": False,
    "mine/a b/1-2": False,
    "our-mine/a b/1": False,
    "xmine/a b/1": False,
    "mine/or yours": False,
    "sgd/mine/1_00000": False,
    "tiny/closed": True,
    "tiny/closed2": False,
    "see tiny/closed, please": True,
    "tiny/open, tiny/closed#2": True,
    "": False,
    None: False,
}


@pytest.mark.parametrize(("text", "expected"), NAMED.items())
def test_an_id_in_a_text(text, expected):
    ids = pa.array(["mine/a b/1", "tiny/closed", "7"])
    held_back = HeldBack(frozenset({"mine"}), frozenset({"tiny", "our-mine"}), ids, pa.array([], pa.string()))
    strings = pa.array(["7", text, "tiny/open"], pa.string())
    assert held_back.find_ids(strings, by_source=False).to_pylist() == [False, expected, False]
    by_source = expected or str(text).startswith("mine/")
    assert held_back.find_ids(strings).to_pylist() == [True, by_source, False]
