-- The files of a dataset folder as views; every other file here is one query over them.
-- By hand:  cd DATASET; duckdb -c ".read .../sql/views.sql" -c ".read .../sql/licenses.sql"
-- From elsewhere, first:  SET VARIABLE folder = 'DATASET';

-- words as Python's str.split() cuts them: at any Unicode white space. Most texts have single blanks only: count those,
-- and take the slow way for the others
CREATE OR REPLACE MACRO word_count(t) AS CASE
    WHEN regexp_matches(t, '[\t-\r\x1c-\x1f\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]|  |^ | $|^$')
    THEN len(regexp_extract_all(t, '[^\s\x0b\x1c-\x1f\x{85}\pZ]+'))
    ELSE strlen(t) - strlen(replace(t, ' ', '')) + 1
END;
-- SPLIT-00000-of-00001.parquet -> SPLIT
CREATE OR REPLACE MACRO split_of(path) AS regexp_extract(path, '([a-z]+)-[^/\\]*$', 1);

CREATE VIEW IF NOT EXISTS dialogues AS
SELECT * EXCLUDE filename, split_of(filename) AS split
FROM read_parquet(coalesce(getvariable('folder'), '.') || '/dialogues/*.parquet', filename = true);

CREATE VIEW IF NOT EXISTS pairs AS
SELECT * EXCLUDE filename, split_of(filename) AS split
FROM read_parquet(coalesce(getvariable('folder'), '.') || '/pairs/*.parquet', filename = true);

CREATE VIEW IF NOT EXISTS downstream AS
SELECT * EXCLUDE filename, split_of(filename) AS split
FROM read_parquet(coalesce(getvariable('folder'), '.') || '/downstream/*.parquet', filename = true);

CREATE VIEW IF NOT EXISTS drops AS
SELECT * FROM read_parquet(coalesce(getvariable('folder'), '.') || '/quality/drops.parquet');

CREATE VIEW IF NOT EXISTS clusters AS
SELECT * FROM read_parquet(coalesce(getvariable('folder'), '.') || '/quality/clusters.parquet');

-- one row an utterance; turn_index counts from 0
CREATE VIEW IF NOT EXISTS utterances AS
SELECT dialogue_id, source, split, language, turn_index - 1 AS turn_index, turn.speaker AS speaker, turn.text AS text
FROM (
    SELECT dialogue_id, source, split, language, unnest(turns) AS turn, generate_subscripts(turns, 1) AS turn_index
    FROM dialogues
);

-- lengths alone, without the texts: several queries read them, so a program may keep them as a table
CREATE VIEW IF NOT EXISTS utterance_lengths AS
SELECT dialogue_id, source, split, word_count(text)::INTEGER AS words, length(text)::INTEGER AS characters
FROM utterances;

CREATE VIEW IF NOT EXISTS pair_lengths AS
SELECT
    source, split, answer_id, quality.score AS score,
    anchor_speaker = 'user' AND positive_speaker = 'system' AS is_question_answer,
    word_count(anchor)::INTEGER AS anchor_words, word_count(positive)::INTEGER AS positive_words
FROM pairs;
