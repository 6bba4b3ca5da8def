-- Words in lower case. config: dialogues or downstream; occurrences: number of occurrences
-- A word is a sequence of letters, marks and digits, possibly with apostrophes inside: "don't". Text without blanks
-- between words (Chinese, Thai) is not split.
WITH texts AS (
    SELECT 'dialogues' AS config, source, split, language, text FROM turns
    UNION ALL
    SELECT 'downstream', source, split, language, utterance FROM downstream
),
-- so that the expensive pattern below sees each distinct token once
tokens AS (
    SELECT config, source, split, language, token, count(*) AS n
    FROM (
        SELECT
            config, source, split, language,
            unnest(string_split(replace(lower(text), '’', ''''), ' ')) AS token
        FROM texts
    )
    GROUP BY ALL
)
SELECT config, source, split, language, word, sum(n)::BIGINT AS occurrences
FROM (
    SELECT
        config, source, split, language,
        unnest(regexp_extract_all(token, '[\pL\pN\pM]+(?:''[\pL\pN\pM]+)*')) AS word, n
    FROM tokens
)
GROUP BY ALL
ORDER BY ALL
