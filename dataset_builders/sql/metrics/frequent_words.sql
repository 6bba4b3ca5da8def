-- The 30 most frequent words of each source and language, lower case; stop words are counted too.
-- A word is a run of letters, marks and digits, with apostrophes inside: "don't". Text without blanks between words
-- (Chinese, Thai) is not cut further. rank: from 1; word; occurrences: how often
-- share: of all words of the source in that language, from 0 to 1
WITH counts AS (
    SELECT source, language, word, sum(occurrences)::BIGINT AS occurrences FROM word_counts GROUP BY ALL
)
SELECT
    source, language,
    row_number() OVER (PARTITION BY source, language ORDER BY occurrences DESC, word) AS rank,
    word, occurrences,
    occurrences / sum(occurrences) OVER (PARTITION BY source, language) AS share
FROM counts
QUALIFY rank <= 30
ORDER BY source, language, rank
