-- Labelled utterances by source and split. A NULL split is the whole source, a NULL source all sources.
-- rows, labels, languages: number of each; out_of_scope: number of rows that have none of the intents
-- smallest_label, largest_label: number of rows of the rarest and of the most frequent label
-- class_balance: entropy of the labels / maximum for this number of labels; 1 if all are equally frequent, NULL for a
--     single label
-- words_per_utterance: mean; text without blanks between words (Chinese, Thai) counts as one word
WITH by_label AS (
    SELECT
        source, split, label,
        GROUPING(source, split) AS level,
        sum(rows) AS rows,
        list(DISTINCT language) AS languages,
        coalesce(sum(rows) FILTER (is_out_of_scope), 0) AS out_of_scope,
        sum(words) AS words
    FROM label_counts
    GROUP BY GROUPING SETS ((source, split, label), (source, label), (label))
),
by_split AS (
    SELECT *, rows / sum(rows) OVER (PARTITION BY level, source, split) AS share FROM by_label
)
SELECT
    source, split,
    sum(rows)::BIGINT AS rows,
    count(*) AS labels,
    len(list_distinct(flatten(list(languages)))) AS languages,
    sum(out_of_scope)::BIGINT AS out_of_scope,
    min(rows)::BIGINT AS smallest_label,
    max(rows)::BIGINT AS largest_label,
    CASE WHEN count(*) > 1 THEN -sum(share * ln(share) ORDER BY label) / ln(count(*)) END AS class_balance,
    sum(words) / sum(rows) AS words_per_utterance
FROM by_split
GROUP BY level, source, split
ORDER BY source NULLS LAST, split NULLS LAST
