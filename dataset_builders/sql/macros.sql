-- scripts without blanks between words, whose words have about two or six characters; see text/words.py
CREATE OR REPLACE MACRO two_a_word() AS
    '\p{Han}\x{20000}-\x{3FFFF}\p{Hiragana}\p{Katakana}\x{3099}-\x{309C}\x{30FC}\x{FF70}\x{FF9E}\x{FF9F}';
CREATE OR REPLACE MACRO six_a_word() AS '\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}';
CREATE OR REPLACE MACRO unspaced() AS '[' || two_a_word() || six_a_word() || ']';
CREATE OR REPLACE MACRO spaced_word() AS '[^' || two_a_word() || six_a_word() || '\s\pZ\pC\pP\pS]+';
CREATE OR REPLACE MACRO unspaced_words(t) AS len(regexp_extract_all(
    t,
    '[' || two_a_word() || ']{1,2}|[' || six_a_word() || ']{1,6}|'
    || spaced_word() || '(?:[[:punct:]’]+' || spaced_word() || ')*'
));
-- in other scripts, words as in Python's str.split(), which splits at any Unicode white space; fast for texts with
-- single blanks only
CREATE OR REPLACE MACRO word_count(t) AS CASE
    WHEN NOT regexp_matches(
        t,
        '[\t-\r\x1c-\x1f\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}'
        || two_a_word() || six_a_word() || ']|  |^ | $|^$'
    )
    THEN strlen(t) - strlen(replace(t, ' ', '')) + 1
    WHEN regexp_matches(t, unspaced()) THEN unspaced_words(t)
    ELSE len(regexp_extract_all(t, '[^\s\x0b\x1c-\x1f\x{85}\pZ]+'))
END;
-- SPLIT-00000-of-00001.parquet -> SPLIT
CREATE OR REPLACE MACRO split_of(path) AS regexp_extract(path, '([a-z]+)-[^/\\]*$', 1);
-- first 60 bits of the SHA-256 of a text, which is its key among the vectors of `dialogue-cube embed`: finds its rows
CREATE OR REPLACE MACRO text_key(t) AS ('0x' || left(sha256(t), 15))::BIGINT;
