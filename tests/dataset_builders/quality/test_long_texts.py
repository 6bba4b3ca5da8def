"""The filters take linear time for texts of a megabyte, whatever their content."""

import random
import string
import time
import unicodedata

import numpy as np
import pyarrow as pa
import pytest

from dataset_builders.own_data.plain.plain_text import TextStyle, find_style, read_blocks
from dataset_builders.quality.filters import FILTERS
from dataset_builders.quality.filters.base import Rows, TextFilter
from dataset_builders.quality.filters.encoding import Encoding
from dataset_builders.quality.filters.glued_sentences import GluedSentences
from dataset_builders.quality.filters.personal_data import PersonalData, mask_texts, personal_spans
from dataset_builders.text.normalize import normalize
from support.quality_rows import dialogues, pairs, turn, utterances

CHARACTERS = 1_000_000
# plain passes over a megabyte's characters, some .03 s each where every filter takes less than .7 s; one quadratic pattern
# takes as long as ten thousand of them
PASSES = 100


def repeated(piece, characters=CHARACTERS):
    return (piece * (characters // len(piece) + 1))[:characters]


def base64():
    return "".join(random.Random(0).choices(string.ascii_letters + string.digits + "-_", k=CHARACTERS))


HALF = CHARACTERS // 2
RUSSIAN = "Здравствуйте, я хотел бы заказать столик на двоих сегодня вечером, у окна."
TEXTS = {
    "one letter": lambda: repeated("a"),
    "an address, then digits": lambda: "jo@example.org" + repeated("0123456789"),
    "base64, then an address": lambda: base64() + "@example.org jo at example",
    "name and domain without an end": lambda: repeated("a", HALF) + "@" + repeated("a.", HALF) + " jo@a.co",
    "addresses": lambda: " ".join(f"u{i}@a.co" for i in range(CHARACTERS // 12)),
    "phone numbers": lambda: " ".join(f"01{i:09d}" for i in range(CHARACTERS // 12)),
    "card numbers": lambda: repeated("4111 1111 1111 1111 "),
    "groups of digits": lambda: repeated("4 1-0."),
    "a long word before glued sentences": lambda: repeated("a", HALF) + repeated("!", HALF) + " want.Thank",
    "openings": lambda: repeated('<a <!- &zz; (("http://\\\\n a@'),
    "line ends and blanks": lambda: "x" + repeated("\u3000\n\t") + "?",
    "mixed scripts": lambda: repeated("aбγ中ไअ😀 "),
    "mojibake": lambda: repeated("РџСЂРёРІРµС‚ CafÃ© "),
    "marks out of order": lambda: "a" + repeated("\u0301\u0316\u0f73\uff9e"),
}


@pytest.fixture(scope="module")
def long_texts():
    return {name: make() for name, make in TEXTS.items()}


class Same:
    """An encoder to which all texts are the same."""

    def encode(self, texts):
        return np.ones((len(texts), 2), np.float32)


def find(check, config, text):
    """What a filter finds in rows that hold the text."""
    reply = "Would you like a table for two?"
    table = {
        "dialogues": lambda: dialogues([text, reply]),
        "pairs": lambda: pairs((text, reply)),
        "downstream": lambda: utterances(text, reply, labels="xy"),
    }[config]()
    return check.find(Rows.of(config, table, Same()))


def plain_pass():
    return sum(character == "b" for character in "a" * CHARACTERS)


def timed(function, *arguments):
    start = time.process_time()
    result = function(*arguments)
    return result, time.process_time() - start


def assert_fast(function, *arguments):
    """Return the result of the function; the limit is measured at the same time, because the machine may be busy."""
    result, seconds = timed(function, *arguments)
    assert seconds < PASSES * timed(plain_pass)[1]
    return result


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_is_fast_on_a_long_text(name, text, long_texts):
    check = FILTERS[name]()
    # a text filter only sees the texts, so one kind of rows is enough
    for config in check.configs[:1] if isinstance(check, TextFilter) else check.configs:
        find(check, config, RUSSIAN)  # a first call may load a model
        assert_fast(find, check, config, long_texts[text])


@pytest.mark.parametrize("text", TEXTS)
def test_masks_are_fast_on_a_long_text(text, long_texts):
    assert_fast(mask_texts, pa.array([long_texts[text]]))


@pytest.mark.parametrize("text", ["addresses", "phone numbers"])
def test_task_data_of_any_size_is_fast(text, long_texts):
    part = long_texts[text][: CHARACTERS // 4]
    rows = Rows.of("dialogues", dialogues([part, f"You said {part}?"]))
    matches = assert_fast(PersonalData().find, rows)
    assert not any(len(f.rows) for f in matches.values())


def test_masks_of_a_long_text_move_its_slots():
    text = repeated("jo@example.org, ")
    slots = [
        {"domain": None, "slot": "sign", "value": ",", "start": i, "end": i + 1} for i in range(14, len(text), 160)
    ]
    rows = Rows.of("dialogues", dialogues([turn(text, slots=slots), "ok"]))
    matches = PersonalData().find(rows)
    masked = assert_fast(PersonalData("mask").mask, rows, rows.table, matches)["turns"][0][0].as_py()
    assert masked["text"] == text.replace("jo@example.org", "[EMAIL]")
    assert {masked["text"][slot["start"] : slot["end"]] for slot in masked["annotations"]["slots"]} == {","}


def test_an_address_is_found_after_and_before_a_long_sequence():
    run = repeated("Ab1_-")
    text = f"{run} jo@example.org {run}@example.org, jo at example dot com."
    addresses = [text[start:end] for start, end, _ in assert_fast(personal_spans, text)]
    assert addresses == ["jo@example.org", f"{run}@example.org", "jo at example dot com"]


def test_glued_sentences_are_found_after_a_long_word():
    text = repeated("a") + "!? want.Thank"
    assert assert_fast(GluedSentences().hits, pa.array([text])).values.to_pylist() == ["want.Thank"]


def test_damage_is_found_at_the_first_suspect_of_a_long_text():
    text = repeated("tea ", HALF) + "CafÃ© " + repeated("tea ", HALF)
    (value,) = assert_fast(Encoding().hits, pa.array([text])).values.to_pylist()
    assert value.startswith("reads: é tea")
    assert len(value) < 30_000


def test_excessive_combining_marks_are_ignored():
    few, many = ("a" + repeated("\u0301\u0316", n) for n in (30, 100_000))
    assert normalize(pa.array([few])).to_pylist() == [unicodedata.normalize("NFKC", few)]
    assert assert_fast(normalize, pa.array([f"{many} tea"])).to_pylist() == [
        unicodedata.normalize("NFKC", few) + " tea"
    ]


def test_a_turn_of_many_lines_and_a_dialogue_of_many_paragraphs():
    count = HALF // 10
    lines = ["User: hello", "Bot: Here is a list:", *["one line"] * count]
    (block,) = assert_fast(list, read_blocks(lines, TextStyle("prefixed")))
    assert block.turns == [("User", "hello"), ("Bot", "\n".join(["Here is a list:", *["one line"] * count]))]
    paragraphs = ["User: hello", "", *["Bot: more", ""] * count]
    (block,) = assert_fast(list, read_blocks(paragraphs, TextStyle("prefixed", paragraphs=True)))
    assert block.turns == [("User", "hello"), *[("Bot", "more")] * count]


def test_a_line_of_wide_blanks_is_fast():
    assert assert_fast(find_style, repeated("\u3000", 60_000) + "?\nno turn either") is not None
