"""The dataset folder of a build: complete or absent, reproducible byte for byte, and readable by `load_dataset`."""

import hashlib
import itertools
import json
import re
import shutil
from collections import Counter

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from typer.testing import CliRunner

from dataset_builders import licenses
from dataset_builders.card import card
from dataset_builders.card.views import STORED
from dataset_builders.common.errors import DataError
from dataset_builders.corpus.build import build_dataset
from dataset_builders.corpus.options import BuildOptions
from dataset_builders.quality.config import QualityConfig
from dataset_builders.schema import CONFIGS, FEATURES, SPLITS
from dataset_builders.sources.registry import builders
from dialogue_cube import app


def digests(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def loaded(sample_dataset, cache_dir):
    return {c: load_dataset(str(sample_dataset), STORED[c], cache_dir=str(cache_dir)) for c in CONFIGS}


@pytest.mark.parametrize("config", CONFIGS)
def test_load_dataset_opens_each_config(loaded, sample_dataset, cache_dir, config):
    for split in SPLITS:
        rows = loaded[config][split]
        assert rows.features == FEATURES[config]
        assert len(rows) > 0
        streamed = load_dataset(str(sample_dataset), STORED[config], split=split, streaming=True)
        assert next(iter(streamed)) == rows[0]
        assert streamed.features == FEATURES[config]


def test_the_messages_are_the_turns_in_the_roles_of_a_chat(loaded):
    roles = {"user": "user", "system": "assistant"}
    for row in [row for split in SPLITS for row in loaded["dialogues"][split]]:
        begun = itertools.dropwhile(lambda turn: turn["speaker"] == "system", row["turns"])
        messages = [
            {"role": roles[speaker], "content": "\n".join(turn["text"] for turn in turns)}
            for speaker, turns in itertools.groupby(begun, key=lambda turn: turn["speaker"])
        ]
        assert (row["messages"], row["message_count"]) == (messages, len(messages))


def test_the_report_counts_the_written_rows(loaded, sample_dataset, sample_raw):
    report = json.loads((sample_dataset / "quality/report.json").read_text())
    assert list(report["sources"]) == [name for name in builders() if (sample_raw / name).is_dir()]
    for split in SPLITS:
        counts = [s["splits"].get(split, {}) for s in report["sources"].values()]
        dialogues = loaded["dialogues"][split]
        assert sum(c.get("dialogues", 0) for c in counts) == len(dialogues)
        assert sum(c.get("utterances", 0) for c in counts) == sum(map(len, dialogues["turns"]))
        assert sum(c.get("pairs", 0) for c in counts) == len(loaded["pairs"][split])
        assert sum(c.get("rows", 0) for c in counts) == len(loaded["downstream"][split])


def test_rows_in_equal_rows_out_plus_rows_dropped(loaded, sample_dataset):
    report = json.loads((sample_dataset / "quality/report.json").read_text())
    drops = pq.read_table(sample_dataset / "quality/drops.parquet").to_pylist()
    assert {d["filter"] for d in drops} >= {"pair_length", "leak"}
    for config in CONFIGS:
        key = FEATURES[config]
        written = [row for split in SPLITS for row in loaded[config][split].select_columns([next(iter(key)), "source"])]
        for source, tally in report["rows"][config].items():
            out = sum(row["source"] == source for row in written)
            dropped = Counter(d["filter"] for d in drops if (d["config"], d["source"]) == (config, source))
            assert (tally["out"], tally["dropped"]) == (out, dict(dropped))
            assert tally["in"] == out + dropped.total()
    ids = [d["row_id"] for d in drops] + [
        row[next(iter(FEATURES[config]))] for config in CONFIGS for split in SPLITS for row in loaded[config][split]
    ]
    assert len(ids) == len(set(ids))


def test_rows_in_equal_the_rows_of_the_sources(sample_dataset):
    report = json.loads((sample_dataset / "quality/report.json").read_text())
    for name, source in report["sources"].items():
        total = Counter()
        for counts in source["original_splits"].values():
            total.update(counts)
        for config, unit in (("dialogues", "dialogues"), ("downstream", "rows")):
            if name in report["rows"][config]:
                assert report["rows"][config][name]["in"] == total[unit]


def test_ids_are_unique_and_official_splits_are_kept(loaded):
    for config, key in (("dialogues", "dialogue_id"), ("pairs", "pair_id"), ("downstream", "utterance_id")):
        ids = [i for split in SPLITS for i in loaded[config][split][key]]
        assert len(ids) == len(set(ids))
    official = {
        "train": "train",
        "dev": "validation",
        "validate": "validation",
        "val": "validation",
        "test": "test",
    }
    for split in SPLITS:
        for name in set(loaded["dialogues"][split]["original_split"]) - {"all"}:
            assert official[name] == split


def test_two_builds_give_the_same_bytes(sample_dataset, sample_raw, tmp_path):
    again = tmp_path / "again"
    build_dataset([], sample_raw, again, num_proc=2, cache_dir=tmp_path / "cache")
    assert digests(again) == digests(sample_dataset)


def test_bytes_depend_neither_on_the_number_of_processes_nor_on_the_size_of_batches_and_shards(
    sample_raw, tmp_path, monkeypatch
):
    monkeypatch.setattr("dataset_builders.sources.source._ROWS_PER_TABLE", 60)
    for module in ("shards", "writing"):
        monkeypatch.setattr(f"dataset_builders.corpus.{module}.ROWS_AT_ONCE", 20)
    monkeypatch.setattr("dataset_builders.corpus.writing._CONTEXT_AT_ONCE", 150)  # divides some blocks, not all
    for rows in ("ROW_GROUP_ROWS", "ROW_GROUP_DIALOGUES"):
        monkeypatch.setattr(f"dataset_builders.folder.parquet.{rows}", 50)
    monkeypatch.setattr("dataset_builders.corpus.files.SHARD_ROWS", 200)
    shards = []
    for processes, batch, shard in ((1, 2000, 10**6), (3, 200, 500)):  # else one process would do the whole sample
        monkeypatch.setattr("dataset_builders.corpus.shards.TURNS_AT_ONCE", batch)
        monkeypatch.setattr("dataset_builders.survey.parsed.SHARD_TURNS", shard)
        names, cache = ["camrest676", "woz:en", "banking77"], tmp_path / f"cache-{processes}"
        build_dataset(names, sample_raw, tmp_path / str(processes), num_proc=processes, cache_dir=cache)
        shards.append(len(list(cache.glob("**/*.arrow"))))
    assert shards[0] < shards[1]
    files = digests(tmp_path / "1")
    assert files == digests(tmp_path / "3")
    assert len([name for name in files if name.startswith("pairs/train-")]) > 1


def test_the_seed_affects_only_sources_without_official_splits(sample_raw, cache_dir, tmp_path):
    names = ["camrest676", "woz:en"]
    folders = [tmp_path / "0", tmp_path / "1"]
    for seed, folder in enumerate(folders):
        build_dataset(names, sample_raw, folder, BuildOptions(seed=seed), cache_dir=cache_dir)
    ids = []
    for folder in folders:
        rows = load_dataset(str(folder), "dialogues", split="test", cache_dir=str(tmp_path / "cache"))
        ids.append({n: [r["dialogue_id"] for r in rows if r["source"] == n] for n in ("camrest676", "woz")})
    assert ids[0]["camrest676"] != ids[1]["camrest676"]
    assert ids[0]["woz"] == ids[1]["woz"]


def test_a_failed_build_leaves_the_earlier_folder_and_nothing_else(sample_raw, cache_dir, tmp_path):
    raw, out = tmp_path / "raw", tmp_path / "out" / "dataset"
    shutil.copytree(sample_raw / "camrest676", raw / "camrest676")
    build_dataset([], raw, out, cache_dir=cache_dir)
    before = digests(out)
    shutil.copytree(sample_raw / "banking77", raw / "banking77")
    (raw / "banking77" / "test.csv").write_text("text;category\nwrong\n")
    with pytest.raises(DataError, match=r"test\.csv: line 1: expected the header text,category"):
        build_dataset([], raw, out, cache_dir=cache_dir)
    assert digests(out) == before
    assert [p.name for p in out.parent.iterdir()] == ["dataset"]


def test_a_failure_while_writing_leaves_nothing(sample_raw, cache_dir, tmp_path, monkeypatch):
    def full_disk(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(card, "write_card", full_disk)
    with pytest.raises(OSError, match="No space left"):
        build_dataset(["camrest676"], sample_raw, tmp_path / "new" / "out", cache_dir=cache_dir)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_folder_of_other_origin_is_not_touched(sample_raw, cache_dir, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="was not made by `dialogue-cube build`"):
        build_dataset(["camrest676"], sample_raw, tmp_path, cache_dir=cache_dir)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_partial_source_is_built_with_one_warning(sample_raw, cache_dir, tmp_path):
    warnings = []
    build_dataset(["sgd"], sample_raw, tmp_path / "sample", cache_dir=cache_dir, warn=warnings.append)
    assert not warnings  # the folder says that it is invented
    shutil.copytree(sample_raw / "sgd", tmp_path / "raw" / "sgd")
    build_dataset(["sgd"], tmp_path / "raw", tmp_path / "out", cache_dir=cache_dir, warn=warnings.append)
    (line,) = warnings
    assert line.startswith("sgd: counts differ from the official release: train: ")
    assert " of 16,142 dialogues" in line


def test_a_repeated_record_counts_once(sample_raw, cache_dir, tmp_path):
    shutil.copytree(sample_raw / "sgd", tmp_path / "sgd")
    copied = json.loads((tmp_path / "sgd/test/dialogues_001.json").read_text())
    (tmp_path / "sgd/test/dialogues_999.json").write_text(json.dumps(copied))
    warnings = []
    (once,) = build_dataset(["sgd"], sample_raw, tmp_path / "once", cache_dir=cache_dir)
    (twice,) = build_dataset(["sgd"], tmp_path, tmp_path / "twice", cache_dir=cache_dir, warn=warnings.append)
    assert twice.written == once.written
    assert f"{len(copied)} repeated records left out" in warnings[0]

    copied[0]["turns"][0]["utterance"] = "Something else"
    (tmp_path / "sgd/test/dialogues_999.json").write_text(json.dumps(copied))
    with pytest.raises(DataError, match="two different records have the id 'sgd/test/"):
        build_dataset(["sgd"], tmp_path, tmp_path / "twice", cache_dir=cache_dir)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["sdg"], "no source 'sdg'; did you mean smd or sgd"),
        (["woz:fr"], "source woz has no config 'fr'; it has: all, en, de, it"),
        (["woz:en", "woz:de"], "source woz is named twice"),
    ],
)
def test_messages_about_wrong_names(names, message, sample_raw, tmp_path):
    with pytest.raises(DataError, match=message):
        build_dataset(names, sample_raw, tmp_path / "out")


def test_license_keeps_only_sources_that_qualify(sample_raw, cache_dir, tmp_path):
    warnings = []
    options = BuildOptions(licenses=("MIT", "CC-BY-4.0"))
    results = build_dataset([], sample_raw, tmp_path / "out", options, cache_dir=cache_dir, warn=warnings.append)
    assert [r.info.name for r in results] == ["multiwoz", "banking77"]
    assert "sgd: left out, its licence is CC-BY-SA-4.0" in warnings
    rows = load_dataset(str(tmp_path / "out"), "pairs-full", split="train", cache_dir=str(tmp_path / "cache"))
    assert set(rows["license"]) == {"MIT"}
    with pytest.raises(DataError, match="no source is left under the licences CC0"):
        build_dataset([], sample_raw, tmp_path / "out", BuildOptions(licenses=("CC0-1.0",)), cache_dir=cache_dir)


def test_unknown_and_research_licences_are_neither_commercial_nor_redistributable():
    closed = {name for name, cls in builders().items() if not cls.INFO.redistributable}
    assert closed == {"smd", "frames", "metalwoz", "msre2e"}
    for name in closed:
        assert not licenses.qualifies(builders()[name].INFO.license, ["commercial"])
    assert not licenses.get_license("GPL-made-up").redistributable


def test_equal_dialogues_have_one_cluster_id(loaded):
    clusters_of: dict[str, set] = {}
    for split in SPLITS:
        for row in loaded["dialogues"][split]:
            texts = " / ".join(re.sub(r"\W+", " ", turn["text"].lower()).strip() for turn in row["turns"])
            clusters_of.setdefault(texts, set()).add(row["cluster_id"])
    assert all(len(clusters) == 1 for clusters in clusters_of.values())


def test_contradicting_labels_are_flagged_over_all_splits(tmp_path, cache_dir):
    raw = tmp_path / "raw" / "banking77"
    raw.mkdir(parents=True)
    (raw / "train.csv").write_text("text,category\nCancel it!,cancel_card\nWhere is my card?,card_arrival\n")
    (raw / "test.csv").write_text("text,category\ncancel it,cancel_transfer\nwhere is my card,card_arrival\n")
    for policy in ("official", "leak-free"):
        build_dataset([], raw.parent, tmp_path / policy, BuildOptions(split_policy=policy), cache_dir=cache_dir)
        rows = load_dataset(str(tmp_path / policy), "downstream", cache_dir=str(tmp_path / "cache"))
        flags = {row["utterance"]: row["flags"] for row in rows["test"]}
        assert flags["cancel it"] == ["leak:text", "conflicting_labels"]
        assert flags["where is my card"] == ["leak:text"]
    assert "train" not in rows  # test has both texts
    drops = pq.read_table(tmp_path / "leak-free" / "quality" / "drops.parquet").to_pylist()
    assert [(d["row_id"], d["filter"], d["value"]) for d in drops] == [
        ("banking77/train/0", "leak", "banking77/test/0"),
        ("banking77/train/1", "leak", "banking77/test/1"),
    ]


def test_languages_and_splits_select_rows_and_the_card_names_them(sample_raw, cache_dir, tmp_path):
    words = ["build", "banking77", "woz", "--raw-dir", str(sample_raw), "--out", str(tmp_path / "out")]
    environment = {"HF_DATASETS_CACHE": str(cache_dir)}
    result = CliRunner().invoke(app, [*words, "--languages", "en", "--splits", "train,test"], env=environment)
    assert result.exit_code == 0, result.output
    assert {path.name.split("-")[0] for path in tmp_path.glob("out/[dp]*/*.parquet")} == {"train", "test"}
    card = (tmp_path / "out/README.md").read_text()
    assert re.search(r"dialogue-cube build .* --languages en --splits train,test", card)
    with pytest.raises(DataError, match=r"splits: expected some of train, validation, test, found \['trian'\]"):
        CliRunner().invoke(app, [*words, "--splits", "trian"], env=environment, catch_exceptions=False)
    with pytest.raises(DataError, match="no row is left in xx in the splits train, validation, test"):
        CliRunner().invoke(app, [*words, "--languages", "xx"], env=environment, catch_exceptions=False)
    assert (tmp_path / "out/README.md").read_text() == card


def test_same_intent_pairs_share_a_label_and_an_answer_id(sample_raw, cache_dir, tmp_path):
    build_dataset(["banking77"], sample_raw, tmp_path / "out", BuildOptions(same_intent=2), cache_dir=cache_dir)
    folder = str(tmp_path / "out")
    rows = {
        c: load_dataset(folder, STORED[c], split="train", cache_dir=str(tmp_path / "cache"))
        for c in ("pairs", "downstream")
    }
    label = {row["utterance_id"]: row["label"] for row in rows["downstream"]}
    answers = {}
    for row in rows["pairs"]:
        first, second = row["pair_id"].split("~")
        assert label[first] == label[second]
        assert row["pair_type"] == "same_intent"
        answers.setdefault(label[first], set()).add(row["answer_id"])
    assert len(rows["pairs"]) == 2 * len(label)
    assert all(len(ids) == 1 for ids in answers.values())
    assert len(set.union(*answers.values())) == len(answers)


def test_strict_drops_what_default_flags(sample_raw, cache_dir, tmp_path):
    shutil.copytree(sample_raw / "camrest676", tmp_path / "raw" / "camrest676")
    (path,) = (tmp_path / "raw" / "camrest676").rglob("*.json")
    text = path.read_text()
    utterance = json.loads(text)[0]["dial"][0]["usr"]["transcript"]
    path.write_text(text.replace(utterance, utterance + " Please look at <b>this</b> &amp; that.", 1))
    tallies = {}
    for preset in ("default", "strict", "none"):
        options = BuildOptions(quality=QualityConfig.preset(preset), split_policy="original")
        build_dataset([], tmp_path / "raw", tmp_path / preset, options, cache_dir=cache_dir)
        report = json.loads((tmp_path / preset / "quality/report.json").read_text())
        tallies[preset] = {config: report["rows"][config]["camrest676"] for config in ("dialogues", "pairs")}
    assert tallies["default"]["dialogues"]["flagged"]["markup"] == 1
    assert tallies["default"]["dialogues"]["dropped"] == {}
    assert tallies["default"]["pairs"]["flagged"]["markup"] == 1
    assert tallies["strict"]["dialogues"]["dropped"]["markup"] == 1
    assert tallies["none"]["dialogues"]["flagged"] == {}


def test_load_dataset_reads_the_new_rows_of_a_folder_built_again(sample_raw, cache_dir, tmp_path):
    """`load_dataset` caches the rows of a local folder by its name and card, so the card must change with the rows."""

    def sources_of_build(parent, names):
        out = tmp_path / parent / "out"
        build_dataset(names, sample_raw, out, cache_dir=cache_dir)
        rows = load_dataset(str(out), "dialogues", split="test", cache_dir=str(tmp_path / "cache"))
        return set(rows["source"])

    assert sources_of_build("a", ["camrest676"]) == {"camrest676"}
    assert sources_of_build("a", ["sgd"]) == {"sgd"}  # the same folder
    assert sources_of_build("b", ["woz"]) == {"woz"}  # a folder of the same name
