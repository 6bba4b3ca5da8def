"""Near-duplicate texts compared with plain Python sets: every pair is correct, and very few are missed."""

import random
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from dataset_builders.text import near_duplicates
from dataset_builders.text.near_duplicates import (
    Ragged,
    bitmaps,
    equal_pairs,
    folded,
    intersections,
    pack,
    possible,
    shingle_sets,
    similar_texts,
)
from dataset_builders.text.normalize import normalize

VOCABULARY = "table train hotel cheap north seven people Friday museum garden please book ticket postcode phone river"
WORDS = VOCABULARY.split()


def invented(count, seed=0):
    """Sentences, most of them copies of another one with a few words changed."""
    rng, texts = random.Random(seed), []
    for _ in range(count):
        words = (
            rng.choices(WORDS, k=rng.randint(4, 14)) if rng.random() < 0.3 or not texts else rng.choice(texts).split()
        )
        for _ in range(rng.randint(0, 2)):
            words[rng.randrange(len(words))] = rng.choice(WORDS)
        texts.append(" ".join(words))
    return texts


def shingles(text, size=5):
    return {text[i : i + size] for i in range(max(1, len(text) - size + 1))}


@pytest.fixture(scope="module")
def truth():
    """Texts, and the similarity of every pair of distinct normalised ones from 0.5 up, by brute force."""
    texts = invented(500)
    sets = {text: shingles(text) for text in normalize(pa.array(texts)).to_pylist()}
    pairs = {}
    for a, b in combinations(sorted(sets), 2):
        common = len(sets[a] & sets[b])
        if 2 * common >= len(sets[a]) + len(sets[b]) - common:
            pairs[a, b] = common / len(sets[a] | sets[b])
    return texts, pairs


def found_pairs(texts, matches):
    normalised = normalize(pa.array(texts)).to_pylist()
    pairs = {}
    for left, right, similarity in zip(matches.left, matches.right, matches.similarity, strict=True):
        pairs[tuple(sorted([normalised[left], normalised[right]]))] = similarity
    assert len(pairs) == len(matches), "a pair is reported twice"
    return pairs


@pytest.mark.parametrize(("threshold", "bands"), [(0.5, 64), (0.7, near_duplicates.BANDS), (0.85, 16)])
def test_finds_what_brute_force_finds(truth, threshold, bands):
    texts, pairs = truth
    expected = {pair: similarity for pair, similarity in pairs.items() if similarity >= threshold}
    found = found_pairs(texts, similar_texts(texts, threshold, bands=bands))
    assert len(expected) > 20
    assert found.keys() <= expected.keys(), "every pair is verified"
    assert len(found) >= 0.95 * len(expected)
    assert all(found[pair] == pytest.approx(expected[pair], abs=1e-6) for pair in found)


def test_few_bands_miss_pairs_but_report_no_wrong_ones(truth):
    texts, pairs = truth
    found = found_pairs(texts, similar_texts(texts, 0.5, bands=4))
    assert found.keys() < pairs.keys()


def test_equal_texts_count_once_at_their_first_row():
    texts = [
        "Hi!",
        "I want a cheap hotel please",
        "hi",
        "I want a cheap hotel, please!",
        "we want a cheap hotel please",
    ]
    matches = similar_texts(texts)
    assert (matches.left.tolist(), matches.right.tolist()) == ([1], [4])
    chunked = pa.chunked_array([texts[:2], texts[2:4], texts[4:]])
    assert (similar_texts(chunked).left.tolist(), similar_texts(chunked).right.tolist()) == ([1], [4])


@pytest.mark.parametrize("texts", [[], ["alone"], ["", " ", "?"], pa.chunked_array([], pa.string())])
def test_nothing_to_find(texts):
    assert len(similar_texts(texts)) == 0


@pytest.mark.parametrize("options", [{"threshold": 0}, {"threshold": 1.1}, {"bands": 0}, {"bands": 129}])
def test_invalid_settings_are_rejected(options):
    with pytest.raises(ValueError, match=r"threshold .* bands"):
        similar_texts(["a", "b"], **options)


def test_order_of_texts_does_not_matter():
    texts = invented(300)
    shuffled = random.Random(1).sample(texts, len(texts))
    assert found_pairs(texts, similar_texts(texts)) == found_pairs(shuffled, similar_texts(shuffled))


def test_same_seed_same_pairs_in_order():
    texts = invented(300)
    first, second = similar_texts(texts, seed=3), similar_texts(texts, seed=3)
    for column in ("left", "right", "similarity"):
        assert getattr(first, column).tobytes() == getattr(second, column).tobytes()
    assert (first.left < first.right).all()
    assert (np.diff(pack(first.left, first.right)) > 0).all()


def test_matches_do_not_depend_on_chunk_sizes(monkeypatch):
    texts = [*invented(300), "x", "x y", "abcd"]
    whole = similar_texts(texts)
    sizes = {"ROWS": 7, "CHARACTERS": 90, "SIGNATURES": 6, "PAIRS": 5, "KEYS": 50}
    for name, size in ((f"_{what}_AT_ONCE", size) for what, size in sizes.items()):
        monkeypatch.setattr(near_duplicates, name, size)
    assert found_pairs(texts, similar_texts(texts)) == found_pairs(texts, whole)


def test_chunks_of_pairs_have_a_limited_size(monkeypatch):
    monkeypatch.setattr(near_duplicates, "_PAIRS_AT_ONCE", 100)
    chunks = list(equal_pairs(np.zeros(60, np.uint64)))
    assert max(len(left) for left, _ in chunks) <= 100
    assert sum(len(left) for left, _ in chunks) == 60 * 59 // 2


def test_shingles_are_characters_not_bytes():
    texts = ["abcdef", "быстро", "日本語のテキスト", "😀😁😂🤣😃x", "abc", "été", "", "aaaaaaaa"]
    sets = shingle_sets(pa.array(texts))
    assert sets.sizes.tolist() == [len(shingles(text)) for text in texts]
    assert len(shingle_sets(pa.array(["abcde"] * 2 + ["abcdf"])).values) == 3
    same, other, different = np.split(shingle_sets(pa.array(["日本語の漢", "日本語の漢", "日本語の字"])).values, 3)
    assert same == other != different


def test_short_texts_are_one_shingle_each():
    sets = shingle_sets(pa.array(["ab", "ba", "ab", "abc"]))
    values = sets.values.tolist()
    assert values[0] == values[2]
    assert len(set(values)) == 3


def test_intersections_count_or_weigh_the_shared_values():
    sets = Ragged.of(np.array([3, 1, 2, 1, 4, 2, 2], np.uint32), np.array([3, 2, 2])).as_sets()
    assert sets.sizes.tolist() == [3, 2, 1]
    left, right = np.array([0, 0, 1]), np.array([1, 2, 2])
    assert intersections(sets, left, right).tolist() == [1, 1, 0]
    assert intersections(sets, left, right, np.array([0, 10.0, 0.5, 1, 1])).tolist() == [10, 0.5, 0]


def test_bitmaps_reject_no_pair_above_the_threshold():
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 400, 200)
    sets = Ragged.of(rng.integers(0, 500, sizes.sum()).astype(np.uint32), sizes).as_sets()
    left, right = np.triu_indices(len(sets), 1)
    common = intersections(sets, left, right)
    for threshold in (0.2, 0.4):
        above = pack(left, right)[common >= threshold * (sets.sizes[left] + sets.sizes[right] - common)]
        for bits in (512, 256):
            maps = folded(bitmaps(sets, 512), bits)
            kept = possible(*(tuple(values[rows] for values in maps) for rows in (left, right)), threshold)
            assert np.isin(above, pack(left, right)[kept]).all()
            assert kept.sum() < len(left)
        assert len(above) > 0


def test_no_texts_match_nothing():
    assert len(similar_texts([])) == 0


@pytest.mark.real_data
def test_real_utterances_against_all_pairs(corpora, tmp_path):
    """A product of sparse matrices counts the shared shingles of every pair among 8,000 real utterances."""
    from scipy import sparse

    from dataset_builders.sources.registry import get_builder

    builder = get_builder("smd")(data_dir=corpora / "smd", cache_dir=tmp_path)
    builder.download_and_prepare()
    turns = builder.as_dataset()["train"].data.table["turns"]
    texts = pc.struct_field(pc.list_flatten(turns), "text").to_pylist()[:8000]
    distinct = list(dict.fromkeys(normalize(pa.array(texts)).to_pylist()))
    ids: dict[str, int] = {}
    rows = [sorted(ids.setdefault(s, len(ids)) for s in shingles(text)) for text in distinct]
    ends = np.cumsum([0, *map(len, rows)])
    matrix = sparse.csr_matrix((np.ones(ends[-1], np.int32), np.concatenate(rows), ends), (len(rows), len(ids)))
    sizes, truth = np.diff(ends), set()
    for start in range(0, len(rows), 500):
        common = (matrix[start : start + 500] @ matrix.T).tocoo()
        left = common.row + start
        keep = (left < common.col) & (common.data >= 0.7 * (sizes[left] + sizes[common.col] - common.data))
        truth |= {tuple(sorted((distinct[a], distinct[b]))) for a, b in zip(left[keep], common.col[keep], strict=True)}
    found = found_pairs(texts, similar_texts(texts)).keys()
    assert len(truth) > 300
    assert found <= truth
    assert len(found) >= 0.95 * len(truth)
