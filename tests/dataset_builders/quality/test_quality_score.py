"""The quality score of a pair and its parts."""

import numpy as np
import pytest

from dataset_builders import schema
from dataset_builders.quality.filters.base import Rows
from dataset_builders.quality.filters.encoding import Encoding
from dataset_builders.quality.filters.glued_sentences import GluedSentences
from dataset_builders.quality.filters.markup import Markup
from dataset_builders.quality.score import score_pairs
from support.quality_rows import pairs

CHECKS = [Encoding(), Markup(), GluedSentences()]
GOOD = ("Where can I drink tea in town?", "There is a small tea room beside the old bridge.")


class Cosine:
    """Encoder with this cosine between texts that begin with "first" and all others."""

    def __init__(self, cosine):
        self.other = [cosine, (1 - cosine**2) ** 0.5]

    def encode(self, texts):
        return np.array([[1, 0] if t.startswith("first") else self.other for t in texts], np.float32)


def scores(*texts, encoder=None):
    return score_pairs(Rows.of("pairs", pairs(*texts), encoder), CHECKS).to_pylist()


def test_a_good_pair():
    (score,) = scores(GOOD)
    assert list(score) == list(schema.QUALITY)
    assert score["length"] == score["cleanness"] == 1
    assert score["novelty"] == pytest.approx(1 - 1 / 16)  # "tea" of 16 different words
    assert score["relatedness"] is None
    assert score["score"] == score["novelty"]


def test_the_score_is_the_product_of_its_parts():
    for encoder in (None, Cosine(0.25)):
        score = scores(("first tea &amp; cake now.Please", "for you tea"), encoder=encoder)[0]
        parts = [score[p] for p in ("length", "cleanness", "novelty", "relatedness") if score[p] is not None]
        assert score["score"] == pytest.approx(np.prod(parts))
        assert len(parts) == (3 if encoder is None else 4)
        assert score["cleanness"] == 0.25


def test_length_rises_then_falls():
    words = [0, 1, 2, 4, 5, 20, 100, 150, 400]
    lengths = [s["length"] for s in scores(*((" ".join(["a"] * w), "one two three four five six") for w in words))]
    assert lengths[0] == pytest.approx(0, abs=1e-6)
    assert lengths[:5] == sorted(lengths[:5])
    assert lengths[4:7] == [1, 1, 1]
    assert lengths[6:] == sorted(lengths[6:], reverse=True)
    assert lengths[-1] == 0.25


def test_more_damage_is_less_clean():
    texts = [
        ("fine here", "yes"),
        ("fine.Here", "yes"),
        ("fine.Here &amp; now", "yes"),
        ("fine.Here &amp; now", "bell \x07"),
    ]
    assert [s["cleanness"] for s in scores(*texts)] == [1, 0.5, 0.25, 0.125]


def test_novelty():
    texts = [
        ("tea please", "Tea, please!"),
        ("tea please", "tea now"),
        ("tea please", "come in"),
        ("?", "?"),
        ("?", "!"),
    ]
    assert [s["novelty"] for s in scores(*texts)] == pytest.approx([0, 2 / 3, 1, 0, 1])


@pytest.mark.parametrize(("cosine", "relatedness"), [(0.9, 0.9), (0.1, 0.1), (0, 0), (-0.5, 0)])
def test_relatedness(cosine, relatedness):
    assert scores(("first", "second"), encoder=Cosine(cosine))[0]["relatedness"] == pytest.approx(relatedness)


def test_slices_do_not_change_the_scores(monkeypatch):
    texts = [GOOD, ("first tea", "tea"), GOOD[::-1], ("a b c", "a b"), ("first", "x y z")] * 3
    whole = scores(*texts, encoder=Cosine(0.5))
    monkeypatch.setattr("dataset_builders.quality.filters.base._PAIRS_AT_ONCE", 4)
    assert scores(*texts, encoder=Cosine(0.5)) == whole
    assert all(0 <= value <= 1 for score in whole for value in score.values())


@pytest.mark.parametrize(
    ("anchor", "positive", "novelty"),
    [
        ("To be or not to be", "not to be", 1 - 3 / 4),
        ("? !", "? !", 0),
        ("...", "!", 1),
        ("", "", 1),
        ("", "tea", 1),
        ("有免费停车场吗？", "没有免费停车场。", 1 - 5 / 7),  # pairs of characters
    ],
)
def test_novelty_is_of_the_distinct_words(anchor, positive, novelty):
    assert [score["novelty"] for score in scores(GOOD, (anchor, positive))][1] == pytest.approx(novelty)


def test_no_pairs():
    assert scores() == []
