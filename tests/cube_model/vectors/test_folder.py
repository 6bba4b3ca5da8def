"""A folder of vectors in front of the embedding cache."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from cube_model import EmbeddingCache, ModelError
from cube_model.vectors.folder import FORMAT, RECORD, VectorFolder, shard_name, write_shard
from cube_model.vectors.keys import cache_keys, key_array, key_heads, range_starts

TEXTS = [f"text {number}" for number in range(200)]


class Counter:
    """A fake teacher whose embeddings encode the length of the text; it records the texts it encodes."""

    dimension, parameters, name, dtype, fingerprint = 4, 1, "counter", "float32", "f" * 16

    def __init__(self):
        self.encoded = []

    def encode(self, texts, advance=None):
        self.encoded += texts
        return np.array([[len(text), 0, 0, 1 / 3] for text in texts], dtype=np.float32)

    def describe(self):
        return {"name": self.name, "dtype": self.dtype, "fingerprint": self.fingerprint, "dimension": self.dimension}


def vector_of(text):
    return [float(text.removeprefix("text ")), 1, 2, 3]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Vectors of `TEXTS` in seven shards, one of which is empty."""
    folder, starts = tmp_path_factory.mktemp("vectors") / "made", range_starts(7)
    folder.mkdir()
    by_key = dict(sorted(zip(cache_keys(TEXTS), TEXTS, strict=True)))
    heads = key_heads(key_array(list(by_key)))
    shards = []
    for number in range(7):
        inside = (heads >= starts[number]) & (heads <= starts[number + 1] - 1) & (number != 3)
        keys = [key for key, each in zip(by_key, inside, strict=True) if each]
        vectors = np.array([vector_of(by_key[key]) for key in keys], dtype=np.float32).reshape(-1, 4)
        write_shard(folder / shard_name(number, 7), keys, vectors, "float32")
        shards.append({"file": shard_name(number, 7), "texts": len(keys)})
    record = {
        "format": FORMAT,
        "data": {"folder": "corpus", "configs": ["pairs"]},
        "teacher": {**Counter().describe(), "dtype": "float32"},
        "dimension": 4,
        "texts": sum(shard["texts"] for shard in shards),
        "shards": shards,
    }
    (folder / RECORD).write_text(json.dumps(record))
    return folder


def test_vectors_are_those_of_the_texts_in_any_order(made):
    folder, texts = VectorFolder(made), [*TEXTS[::-3], "another", *TEXTS[:50]]
    out = np.full((len(texts), 4), -1, dtype=np.float32)
    stored = folder.read(cache_keys(texts), out)
    assert 150 < len(folder) < 200
    assert stored.sum() > 80
    assert not stored[texts.index("another")]
    for text, row, hit in zip(texts, out.tolist(), stored, strict=True):
        assert row == (vector_of(text) if hit else [-1] * 4)
    assert folder.read([], np.zeros((0, 4), np.float32)).shape == (0,)


def test_missing_texts_are_counted_encoded_and_cached(made, tmp_path, caplog):
    cache, teacher = EmbeddingCache(tmp_path, vectors=made), Counter()
    missing = len(TEXTS) - len(VectorFolder(made))
    vectors = cache.embed(teacher, [*TEXTS, "new"])
    assert len(teacher.encoded) == missing + 1
    assert f"{made}: {missing + 1} of 201 texts are neither there nor in the cache" in caplog.text
    assert np.array_equal(EmbeddingCache(tmp_path, vectors=made).embed(teacher, [*TEXTS, "new"]), vectors)
    assert len(teacher.encoded) == missing + 1
    assert len(cache) == missing + 1


def test_vectors_of_another_teacher_or_of_other_data_are_refused_by_name(made, tmp_path):
    other = Counter()
    other.fingerprint, other.name, other.dtype = "0" * 16, "other", "bfloat16"
    cache = EmbeddingCache(tmp_path, vectors=made)
    expected = r"vectors of counter \(fingerprint ffffffffffff\), but this run uses other .*dtype 'bfloat16' instead of"
    for use in (cache.embed, cache.encoding_time):
        with pytest.raises(ModelError, match=expected):
            use(other, TEXTS)
    with pytest.raises(
        ModelError, match=r"holds none of the 2 texts of this run: these are .* texts of corpus \(pairs\)"
    ):
        cache.embed(Counter(), ["foreign", "unknown"])
    cache.embed(Counter(), TEXTS)
    assert len(cache.embed(Counter(), ["foreign"])) == 1  # the run has begun with this data


def test_damaged_folders_are_refused_with_the_file_and_what_to_do(made, tmp_path):
    with pytest.raises(ModelError, match=r"no vectors; write them with `dialogue-cube embed --out"):
        EmbeddingCache(tmp_path / "cache", vectors=tmp_path / "nothing")
    damaged = shutil.copytree(made, tmp_path / "damaged")
    for content, words in ((b"", "missing or damaged"), ((made / shard_name(1, 7)).read_bytes(), "missing or damaged")):
        (damaged / shard_name(0, 7)).write_bytes(content)
        with pytest.raises(ModelError, match=rf"{shard_name(0, 7)}: {words}.*embed --overwrite"):
            EmbeddingCache(tmp_path / "cache", vectors=damaged).embed(Counter(), TEXTS)
    (damaged / RECORD).write_text(json.dumps({"format": FORMAT + 1, "shards": []}))
    with pytest.raises(ModelError, match="this version reads"):
        VectorFolder(damaged)
    (damaged / RECORD).write_text("{}")
    with pytest.raises(ModelError, match=r"vectors.json: damaged \(`format` is missing\)"):
        VectorFolder(damaged)
    with pytest.raises(ModelError, match="not finite"):
        write_shard(tmp_path / "shard", cache_keys(["a"]), np.full((1, 4), 1e9, np.float32), "float16")


def test_a_flipped_bit_of_a_shard_is_refused_before_it_is_read(made, tmp_path):
    """It would be another vector."""
    folder = shutil.copytree(made, tmp_path / "flipped")
    record = json.loads((folder / RECORD).read_text())
    for shard in record["shards"]:
        shard["sha256"] = hashlib.sha256((folder / shard["file"]).read_bytes()).hexdigest()
    (folder / RECORD).write_text(json.dumps(record))
    out, keys = np.zeros((len(TEXTS), 4), np.float32), cache_keys(TEXTS)
    assert VectorFolder(folder).read(keys, out).any()
    data = bytearray((folder / shard_name(1, 7)).read_bytes())
    data[-2] ^= 1
    (folder / shard_name(1, 7)).write_bytes(data)
    with pytest.raises(
        ModelError, match=rf"{shard_name(1, 7)}: damaged or changed since it was written; .*embed --over"
    ):
        VectorFolder(folder).read(keys, out)
