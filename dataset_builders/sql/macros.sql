-- words as in Python's str.split(), which splits at any Unicode white space; fast for texts with single blanks only
CREATE OR REPLACE MACRO word_count(t) AS CASE
    WHEN regexp_matches(t, '[\t-\r\x1c-\x1f\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]|  |^ | $|^$')
    THEN len(regexp_extract_all(t, '[^\s\x0b\x1c-\x1f\x{85}\pZ]+'))
    ELSE strlen(t) - strlen(replace(t, ' ', '')) + 1
END;
-- SPLIT-00000-of-00001.parquet -> SPLIT
CREATE OR REPLACE MACRO split_of(path) AS regexp_extract(path, '([a-z]+)-[^/\\]*$', 1);
