"""The number of words of texts in many scripts, the same in Python and in SQL."""

import duckdb
import pyarrow as pa
import pytest

from dataset_builders import sql
from dataset_builders.text.words import word_counts

SPACED = [
    "I'd like a cheap hotel - at 7:30, please.",
    "Мне нужна гостиница",
    "Χρειάζομαι ένα φθηνό ξενοδοχείο",
    "أريد فندقا رخيصا",
    "אני צריך מלון זול",
    "मुझे एक सस्ता होटल चाहिए",
    "저렴한 호텔이 필요해요",
    "இங்கே ஒரு ஹோட்டல்",
    "non\u00a0breaking\u2003blanks",
    "  two  blanks\n",
    " before",
    "after ",
    "two\n\nlines here",
    " ",
    "",
]
UNSPACED = {
    "我想订一个便宜的酒店。": 5,
    "你好，世界！": 2,
    "wifi有吗？": 2,
    "价格是3.5元, don't": 5,
    "安いホテルを予約したいです。": 7,
    "スーパーマーケット": 5,
    "ｽｰﾊﾟｰ": 3,
    "𠮷野家": 2,
    "ขอบคุณครับ": 2,
    "ສະບາຍດີ": 2,
    "សួស្តី\u200bពិភពលោក": 3,
    "ဟုတ်ကဲ့": 2,
    "。。。": 1,
}


def in_sql(texts):
    with duckdb.connect() as connection:
        connection.execute(sql.MACROS)
        connection.register("texts", pa.table({"text": texts}))
        return [n for (n,) in connection.execute("SELECT word_count(text) FROM texts").fetchall()]


def test_blanks_separate_words():
    expected = [len(text.split()) for text in SPACED]
    assert word_counts(pa.array(SPACED)).tolist() == in_sql(SPACED) == expected


@pytest.mark.parametrize(("text", "words"), UNSPACED.items())
def test_characters_give_the_words_of_scripts_without_blanks(text, words):
    assert word_counts(pa.array([text])).tolist() == [words]


def test_sql_counts_the_same_words():
    texts = [*UNSPACED, *SPACED, "\n".join([*UNSPACED, *SPACED])]
    assert in_sql(texts) == word_counts(pa.array(texts)).tolist()


def test_any_character_separates_words_or_not_in_both():
    texts = [f"a{chr(point)}b" for point in range(0x20000) if not 0xD800 <= point < 0xE000]
    counts = word_counts(pa.array(texts)).tolist()
    assert in_sql(texts) == counts
    others = [(text, count) for text, count in zip(texts, counts, strict=True) if count != len(text.split())]
    assert len(others) > 20_000  # all of these have a character of a script without blanks
    assert {count for _, count in others} == {3}


def test_frequent_words_are_words_or_pairs_of_characters():
    with duckdb.connect() as connection:
        connection.execute(sql.MACROS)
        for table, column, text in (
            ("turns", "text", "Don't WiFi有酒店。好"),
            ("downstream", "utterance", "โรงแรม hotel1"),
        ):
            connection.execute(
                f"CREATE TABLE {table} AS SELECT 's' AS source, 'train' AS split, 'und' AS language, ? AS {column}",
                [text],
            )
        rows = connection.execute(sql.queries("aggregates")["word_counts"].text).fetchall()
    assert {(row[0], row[4]) for row in rows} == {
        *(("dialogues", word) for word in ("don't", "wifi", "有酒", "酒店", "好")),
        ("downstream", "hotel1"),
    }


def test_no_text():
    assert word_counts(pa.array([], pa.string())).tolist() == []
