-- Words in lower case. config: dialogues or downstream; occurrences: number of occurrences
-- A word is a sequence of letters, marks and digits, possibly with apostrophes inside: "don't". Chinese and Japanese have
-- no blanks between words; there, two adjacent characters are a word. Thai, Lao, Khmer and Burmese are left out.
WITH texts AS (
    SELECT 'dialogues' AS config, source, split, language, text FROM turns
    UNION ALL
    SELECT 'downstream', source, split, language, utterance FROM downstream
),
-- so that the expensive patterns below see each distinct token once
tokens AS (
    SELECT config, source, split, language, token, count(*) AS n
    FROM (
        SELECT
            config, source, split, language,
            unnest(string_split(replace(lower(text), '’', ''''), ' ')) AS token
        FROM texts
    )
    GROUP BY ALL
),
runs AS (
    SELECT
        config, source, split, language,
        unnest(regexp_extract_all(apart, '[\pL\pN\pM]+(?:''[\pL\pN\pM]+)*')) AS run, n
    FROM (
        SELECT
            *,
            regexp_replace(
                regexp_replace(token, '[' || six_a_word() || ']+', ' ', 'g'),
                '([' || two_a_word() || ']+)', ' \1 ', 'g'
            ) AS apart
        FROM tokens
    )
)
SELECT config, source, split, language, word, sum(n)::BIGINT AS occurrences
FROM (
    SELECT
        config, source, split, language,
        unnest(CASE
            WHEN length(run) > 1 AND regexp_matches(run, '^[' || two_a_word() || ']')
            THEN list_concat(regexp_extract_all(run, '..'), regexp_extract_all(run[2:], '..'))
            ELSE [run]
        END) AS word, n
    FROM runs
)
GROUP BY ALL
ORDER BY ALL
