-- The 30 most frequent words of each source and language in lower case, including stop words.
-- A word is a sequence of letters, marks and digits, possibly with apostrophes inside: "don't". Chinese and Japanese have
-- no blanks between words; there, two adjacent characters are a word. Thai, Lao, Khmer and Burmese are left out. rank: from 1; word; occurrences: number of occurrences
-- share: share of all words of the source in this language, 0 to 1
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
