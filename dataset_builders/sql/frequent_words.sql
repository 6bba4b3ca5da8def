-- The 30 most frequent words of each source and language, lower case; stop words are counted too.
-- A word is a run of letters, marks and digits, with apostrophes inside: "don't". Text without blanks between words
-- (Chinese, Thai) is not cut further. rank: from 1; word; occurrences: how often
-- share: of all words of the source in that language, from 0 to 1
WITH texts AS (
    SELECT source, language, text FROM utterances
    UNION ALL
    SELECT source, language, utterance FROM downstream
),
-- the dear pattern below then meets each distinct token once
tokens AS (
    SELECT source, language, token, count(*) AS n
    FROM (
        SELECT source, language, unnest(string_split(replace(lower(text), '’', ''''), ' ')) AS token
        FROM texts
    )
    GROUP BY ALL
),
words AS (
    SELECT source, language, unnest(regexp_extract_all(token, '[\pL\pN\pM]+(?:''[\pL\pN\pM]+)*')) AS word, n
    FROM tokens
),
counts AS (
    SELECT source, language, word, sum(n)::BIGINT AS occurrences FROM words GROUP BY ALL
)
SELECT
    source, language,
    row_number() OVER (PARTITION BY source, language ORDER BY occurrences DESC, word) AS rank,
    word, occurrences,
    occurrences / sum(occurrences) OVER (PARTITION BY source, language) AS share
FROM counts
QUALIFY rank <= 30
ORDER BY source, language, rank;
