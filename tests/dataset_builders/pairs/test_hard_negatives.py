"""Mined hard negatives: each rule on invented rows, then the real encoder on the sample."""

import hashlib
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.folder import parquet
from dataset_builders.folder.parquet import ShardWriter
from dataset_builders.pairs.encoder import load_encoder
from dataset_builders.pairs.hard_negatives import Mined, NegativeOptions, add_hard_negatives, mine
from dataset_builders.schema import ARROW_SCHEMAS
from dataset_builders.text.normalize import text_ids

SCHEMA = ARROW_SCHEMAS["pairs"]


class Angles:
    """Unit vectors at the angle in degrees that a text begins with, or at 0."""

    name, fingerprint = "angles", "angles"

    def encode(self, texts, progress=False):
        angles = [math.radians(float(text.split()[0])) if text[:1].isdigit() else 0.0 for text in texts]
        return np.array([[math.cos(a), math.sin(a)] for a in angles], dtype=np.float32).reshape(-1, 2)


class Random:
    """A random direction for each text, the same in every call."""

    name, fingerprint = "random", "random"

    def encode(self, texts, progress=False):
        vectors = np.zeros((len(texts), 8), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
            row[:] = np.random.default_rng(seed).normal(size=8)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-9)


def pair(number, anchor, positive, **other):
    row = {
        "pair_id": f"mine/{number}#0",
        "dialogue_id": f"mine/{number}",
        "turn_index": 0,
        "source": "mine",
        "language": "en",
        "domains": [],
        "anchor": anchor,
        "positive": positive,
        "anchor_speaker": "user",
        "positive_speaker": "system",
        "context": [],
        "answer_id": positive.lower().strip("!?. "),
        "negatives": [],
        "pair_type": "consecutive",
        "cluster_id": f"c{number}",
        "quality": None,
        "flags": [],
        "license": "MIT",
        "redistributable": True,
    }
    return row | other


def table(*rows):
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def negatives(*rows, encoder=None, **options):
    options = {"low": -1, "high": 1, "per_pair": 9} | options
    return mine(table(*rows), encoder or Angles(), NegativeOptions(**options)).to_pylist()


ASKED = pair(0, "0 which?", "50 this")
OTHERS = [pair(i, f"{300 + i} other question", f"{angle} answer") for i, angle in enumerate((10, 30, 45, 80, 170), 1)]


def test_the_closest_to_the_anchor_comes_first():
    found = negatives(ASKED, *OTHERS)
    assert found[0] == ["10 answer", "30 answer", "45 answer", "80 answer", "170 answer"]
    assert negatives(ASKED, *OTHERS, per_pair=2)[0] == ["10 answer", "30 answer"]


def test_the_band_limits_the_cosine_with_the_positive():
    # cosines to the answer at 50 degrees: 10 -> .77, 30 -> .94, 45 -> .996, 80 -> .87, 170 -> -.5
    assert negatives(ASKED, *OTHERS, high=0.9)[0] == ["10 answer", "80 answer", "170 answer"]
    assert negatives(ASKED, *OTHERS, high=0.9, low=0)[0] == ["10 answer", "80 answer"]
    assert negatives(ASKED, *OTHERS, high=0.7, low=0)[0] == []


def test_max_share_limits_the_cosine_with_the_anchor_by_that_of_the_positive():
    # the positive is at 50 degrees: .64; 95 % of it is .61, at 52 degrees
    assert negatives(ASKED, *OTHERS, max_share=0.95)[0] == ["80 answer", "170 answer"]
    assert negatives(ASKED, *OTHERS, max_share=1.0)[0] == ["80 answer", "170 answer"]
    far = pair(0, "0 which?", "120 this")  # -.5: the limit is -.525, at 121.7 degrees
    near = pair(8, "310 other", "121 answer")
    assert negatives(far, near, *OTHERS, max_share=0.95)[0] == ["170 answer"]


@pytest.mark.parametrize(
    "other",
    [
        {"dialogue_id": "mine/0", "cluster_id": None},
        {"cluster_id": "c0"},
        {"answer_id": ASKED["answer_id"]},
        {"anchor": "0 Which"},  # an answer to the same question is not wrong
        {"language": "de"},
        {"source": "yours"},
        {"positive_speaker": "user"},
        {"pair_type": "same_intent"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_pairs_whose_positive_is_no_negative(other):
    asked = ASKED | {"cluster_id": None} if "dialogue_id" in other else ASKED
    allowed = pair(2, "320 other question", "30 answer")
    assert negatives(asked, pair(1, "310 other question", "10 answer"), allowed)[0] == ["10 answer", "30 answer"]
    assert negatives(asked, pair(1, "310 other question", "10 answer") | other, allowed)[0] == ["30 answer"]


def test_a_text_of_the_same_dialogue_is_excluded_wherever_else_it_occurs():
    elsewhere = pair(1, "310 other question", "10 Answer!")
    here = pair("0b", "300 later question", "10 answer", dialogue_id="mine/0", cluster_id="c0")
    assert negatives(ASKED, elsewhere)[0] == ["10 Answer!"]
    assert negatives(ASKED, elsewhere, here)[0] == []


def test_utterances_of_one_intent_are_no_negatives_of_each_other():
    same = {"pair_type": "same_intent", "dialogue_id": None, "cluster_id": None, "positive_speaker": "user"}
    lamp = [pair(f"lamp{i}", f"{i} lamp", f"{i + 1} lamp", answer_id="lamp", **same) for i in range(5)]
    door = [pair(f"door{i}", f"{i} door", f"{i + 1} door", answer_id="door", **same) for i in range(5)]
    found = negatives(*lamp, *door, per_pair=3)
    assert all(len(texts) == 3 and all("door" in text for text in texts) for texts in found[:5])
    assert all(len(texts) == 3 and all("lamp" in text for text in texts) for texts in found[5:])


def test_equal_to_a_search_in_plain_python():
    rng = np.random.default_rng(0)
    rows = [
        pair(i, f"question {rng.integers(120)}", f"answer {rng.integers(90)}", cluster_id=f"c{rng.integers(40)}")
        for i in range(300)
    ]
    found = negatives(*rows, encoder=Random(), low=-0.3, high=0.4, per_pair=2)
    first = {row["answer_id"]: row["positive"] for row in rows[::-1]}
    encode = {text: Random().encode([text])[0] for row in rows for text in (row["anchor"], row["positive"])}
    for row, texts in zip(rows, found, strict=True):
        excluded = {
            o["answer_id"] for o in rows if o["cluster_id"] == row["cluster_id"] or o["anchor"] == row["anchor"]
        }
        anchor, positive = encode[row["anchor"]], encode[row["positive"]]
        allowed = [t for i, t in first.items() if i not in excluded and -0.3 <= encode[t] @ positive <= 0.4]
        assert texts == sorted(allowed, key=lambda text: -(encode[text] @ anchor))[:2]


def test_the_pool_is_a_seeded_sample():
    rows = [pair(i, f"{i} question", f"{i} answer") for i in range(40)]
    found = [negatives(*rows, pool=5, seed=seed) for seed in (0, 0, 1)]
    used = [{text for texts in lists for text in texts} for lists in found]
    assert found[0] == found[1]
    assert len(used[0]) == 5
    assert used[0] != used[2]


def test_rows_of_several_row_groups_and_no_rows():
    rows = [pair(i, f"{i % 360} question {i}", f"{i * 7 % 360} answer {i}") for i in range(6000)]
    found = negatives(*rows, per_pair=1, pool=50)
    assert len(found) == 6000
    assert all(len(texts) == 1 for texts in found)
    assert negatives() == []
    assert negatives(ASKED) == [[]]


@pytest.mark.parametrize(
    "options", [{"per_pair": 0}, {"pool": 0}, {"low": 0.5, "high": 0.5}, {"high": 1.5}, {"low": -2}]
)
def test_messages_about_wrong_options_name_them(options):
    with pytest.raises(DataError, match=r"hard negatives: .*(at least 1|low < high)"):
        NegativeOptions(**options)


def test_shards_keep_their_rows_and_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "SHARD_ROWS", 10_000)
    rows = table(*(pair(i, f"{i} question", f"{i * 3} answer") for i in range(90)))
    many = pa.concat_tables([rows] * 140).combine_chunks()  # 12,600 rows: two shards
    writer = ShardWriter(tmp_path / "pairs", "train", SCHEMA)
    writer.write(many)
    files = writer.close()
    layout = [
        [pq.read_metadata(f).row_group(g).num_rows for g in range(pq.ParquetFile(f).num_row_groups)] for f in files
    ]
    schema, encoder, options = pq.read_schema(files[0]), Angles(), NegativeOptions(low=0, high=0.9)
    mined = add_hard_negatives(files, encoder, options)
    after = pq.read_table(files)
    assert after.schema.equals(schema, check_metadata=True)
    others = [name for name in SCHEMA.names if name not in ("negatives", "negative")]
    assert after.select(others).cast(many.select(others).schema).equals(many.select(others))
    assert after["negatives"].to_pylist() == mine(many, encoder, options).to_pylist()
    assert after["negative"].to_pylist() == [texts[0] if texts else None for texts in after["negatives"].to_pylist()]
    assert mined == Mined(12_600, sum(map(bool, after["negatives"].to_pylist())))
    assert layout == [
        [pq.read_metadata(f).row_group(g).num_rows for g in range(pq.ParquetFile(f).num_row_groups)] for f in files
    ]
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "pairs", *files]
    once = [file.read_bytes() for file in files]
    assert add_hard_negatives(files, encoder, options) == mined  # again: the same bytes
    assert [file.read_bytes() for file in files] == once
    with pytest.raises(DataError, match="expected all shards of train"):
        add_hard_negatives(files[1:], encoder, options)
    assert [file.read_bytes() for file in files] == once
    assert add_hard_negatives([], encoder, options) == Mined(0, 0)


def test_real_encoder_on_the_sample(sample_dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(tmp_path / "cache"))
    writer = ShardWriter(tmp_path / "pairs", "train", SCHEMA)
    writer.write(pq.read_table(sorted((sample_dataset / "pairs").glob("train-*.parquet"))).slice(0, 400))
    files = writer.close()
    encoder, options = load_encoder("minilm"), NegativeOptions()
    before = pq.read_table(files)
    mined = add_hard_negatives(files, encoder, options)
    after = pq.read_table(files).to_pylist()
    assert mined.pairs == len(before) == len(after)
    assert mined.with_negatives > 0.5 * len(before)
    answers = {}
    for row in after:
        answers.setdefault((row["source"], row["positive"]), set()).add(row["cluster_id"])
    mined_rows = [row for row in after if row["negatives"]]
    for row in mined_rows:
        (text,) = row["negatives"]
        assert text_ids(pa.array([text]))[0] != row["answer_id"]
        assert row["cluster_id"] not in answers[row["source"], text]
    positive, negative, anchor = (
        encoder.encode([text(row) for row in mined_rows])
        for text in (lambda r: r["positive"], lambda r: r["negatives"][0], lambda r: r["anchor"])
    )
    to_positive = (positive * negative).sum(1)
    assert to_positive.min() > options.low - 0.01
    assert to_positive.max() < options.high + 0.01
    assert (anchor * negative).sum(1).mean() > (anchor * np.roll(negative, 1, axis=0)).sum(1).mean()
