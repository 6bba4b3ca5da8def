"""Pairs are read as light rows, which give the same table as dialogues of two turns."""

import json

import pyarrow as pa
import pytest

from dataset_builders.own_data import load, own_builders
from dataset_builders.own_data.pair import Pair
from dataset_builders.own_data.plain.records import is_clean, text_of
from dataset_builders.own_data.rejects import BadRecord, Tally
from dataset_builders.own_data.turns.clean import clean
from dataset_builders.schema import ARROW_SCHEMAS
from dataset_builders.sources.source import DialogueBuilder

_TEXTS = (
    "Where is it?",
    "Где заказ № 7?",
    "  on the shelf\t",
    "<p>On the <b>shelf</b></p>",
    "\u200ehidden mark",
    "\u3000全角　の空白\u3000",
    "x\x0b\u200e",
    "\x0b\u200e",  # a text for the reader, but no turn
    "<image_1> look",
    "",
    None,
    0,
    7.5,
    True,
    {"no": "text"},
    [{"type": "text", "text": "a part"}],
    [{"role": "user", "content": "a message"}],
)
_BAD_LINES = (
    b'{"question": "cut',
    b'{"question": "by\xfftes", "answer": "damaged"}',
    b'{"question": "\\ud800 half", "answer": "a character"}',
    b'{"question": NaN, "answer": "no number"}',
    b"",
    b" \t",
    b'{"answer": "in another order", "question": "what?"}',
    b'{"question": "twice", "question": "the key", "answer": "holds"}',
)


def _records():
    return [{"question": q, "answer": a} for q in _TEXTS for a in _TEXTS]


def _with(records, **columns):
    """The records with more columns, each with its values in turn."""
    return [
        record | {key: values[n % len(values)] for key, values in columns.items()} for n, record in enumerate(records)
    ]


_PLAIN = [{"question": f"Where is box {n}?", "answer": f"На полке {n}"} for n in range(1200)]


@pytest.mark.parametrize(
    ("records", "mark", "end"),
    [
        (_records(), b"", b"\n"),
        (_with(_PLAIN, id=[3, "", None], topic=["x", None], split=["train", None]), b"", b"\n"),
        (_records(), b"\xef\xbb\xbf", b"\r\n"),
        (_with(_records(), id=[1, "1", 1.0, "", None, "a b"], topic=["x", None], n=[1, [2]]), b"", b"\n"),
        (_with(_records(), split=["train", "dev", "test", "", None, "no such"]), b"", b"\n"),
        (_with(_records(), input=["", "more", 3], language=["ru", 1]), b"", b"\n"),
    ],
    ids=["texts", "nothing but pairs", "mark and line ends", "ids and other columns", "splits", "more columns"],
)
def test_the_rows_of_pairs_are_those_of_dialogues(tmp_path, records, mark, end):
    lines = [json.dumps(record, ensure_ascii=False).encode() for record in records]
    (tmp_path / "faq.jsonl").write_bytes(mark + end.join([*lines, *_BAD_LINES, lines[0]]))
    data = load(tmp_path / "faq.jsonl", "faq", max_bad_share=1)
    (builder,) = own_builders(data, cache_dir=tmp_path / "cache")
    builder.rows_folder = tmp_path
    table = pa.concat_tables(table for _, table in builder._generate_tables([(f, "all") for f in builder.own_files]))

    rows = [DialogueBuilder.trim(builder, dialogue) for dialogue in data.dialogues]
    columns, schema = DialogueBuilder.columns(builder, rows), ARROW_SCHEMAS["dialogues"]
    assert len(table) == len(rows) > len(_TEXTS)
    for name, values in columns.items():
        kind = schema.field(name).type
        expected = values if isinstance(values, pa.Array) else pa.array(values, kind)
        assert table[name].to_pylist() == expected.to_pylist(), name
    table.validate(full=True)
    assert list(builder.rejected()) == [rejected for rejected in data if not hasattr(rejected, "turns")]
    assert builder.tally == data.total


@pytest.mark.parametrize("letter", ["a", "я"])
def test_a_clean_text_is_one_that_no_rule_changes(letter):
    """Every character of Unicode at the beginning, at the end, and alone."""

    def ruled(text):
        try:
            return clean(text_of(text, "text"), False, Tally()).strip()
        except BadRecord:
            return None

    characters = [chr(code) for code in range(0x3100)] + [chr(code) for code in range(0xD7F0, 0x10000)]
    for text in (text for c in characters for text in (c, c + letter, letter + c)):
        if is_clean(text):
            assert ruled(text) == text, ascii(text)
    assert is_clean(f"{letter} b")
    assert not any(map(is_clean, ("", 7, None, b"a", [letter], f"{letter} <b>b</b>", letter * 1_000_001)))


def test_a_pair_is_the_dialogue_of_its_turns():
    pair = Pair("faq/1", "train", "Why?", "So.", "1", '{"topic": "x"}')
    dialogue = pair.dialogue()
    assert [(turn.speaker, turn.text) for turn in dialogue.turns] == [("user", "Why?"), ("system", "So.")]
    assert (dialogue.id, dialogue.split, dialogue.original_id, dialogue.metadata) == (*pair[:2], *pair[4:])
    assert [pair._replace(answer=text).is_trimmed() for text in ("So.", "So. ", "")] == [True, False, False]
