"""Normal form of texts of any script, by the ASCII path and by the general one."""

import random
import re
import unicodedata

import pyarrow as pa
import pytest

from dataset_builders.text.normalize import normalize, text_hashes, text_ids


def plain(text):
    """The definition, character by character: words are runs of letters, numbers and marks."""
    folded = unicodedata.normalize("NFKC", text).lower()
    words = re.sub(r" +", " ", "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in folded)).strip()
    return words or text.strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thank  you!", "thank you"),
        ("It's 5:30-ish", "it s 5 30 ish"),
        ("  ...  ", "..."),
        ("", ""),
        ("Спасибо, ДО свидания", "спасибо до свидания"),
        ("ＦＵＬＬ－width", "full width"),
        ("धन्यवाद!", "धन्यवाद"),
    ],
)
def test_normal_form(text, expected):
    assert normalize(pa.array([text])).to_pylist() == [expected]


def test_any_text_is_normalised_by_the_definition():
    letters = [chr(code) for code in range(128)] + list("äßéИй中ñ\u00a0ʼ—")
    generator = random.Random(0)
    texts = [
        "".join(generator.choices(letters[: 128 if i % 3 else None], k=generator.randint(0, 9))) for i in range(5000)
    ]
    expected = [plain(text) for text in texts]
    assert normalize(pa.array(texts)).to_pylist() == expected
    assert normalize(pa.array(texts).slice(7, 900)).to_pylist() == expected[7:907]
    assert normalize(pa.chunked_array([texts[:10], [], texts[10:20]])).to_pylist() == expected[:20]


def test_a_character_that_joins_no_other_is_normalised_alone_and_among_others_alike():
    is_joined = {c for c in map(chr, range(0x3000)) if 0x1100 <= ord(c) < 0x1200 or unicodedata.category(c)[0] == "M"}
    canonical = (unicodedata.decomposition(chr(code)) for code in range(0x110000))
    seconds = {chr(int(parts.split()[1], 16)) for parts in canonical if " " in parts and "<" not in parts}
    seconds |= {chr(code) for code in range(0x1161, 0x1200)}  # composed by a rule, not by decompositions
    assert {c for c in seconds if ord(c) < 0x3000} <= is_joined
    alone = [c for c in map(chr, range(0x3000)) if c not in is_joined]
    assert not any(unicodedata.combining(c) for c in alone)
    general = normalize(pa.array([f"é{c}é 中" for c in alone])).to_pylist()  # a character that no table has
    assert [f"{words} 中" for words in normalize(pa.array([f"é{c}é" for c in alone])).to_pylist()] == general


def test_no_text():
    assert normalize(pa.array([], pa.string())).to_pylist() == []
    assert len(text_hashes(pa.array([], pa.string()))) == 0


def test_hashes_are_the_ids_as_numbers():
    texts = pa.array(["Thank you", "thank you!", "no"])
    assert [f"{value:016x}" for value in text_hashes(texts).tolist()] == text_ids(texts)
    assert len(set(text_ids(texts))) == 2
