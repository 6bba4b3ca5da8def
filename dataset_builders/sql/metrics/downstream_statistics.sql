-- Labelled utterances by source and split. A NULL split is the whole source, a NULL source all sources.
-- rows, labels, languages: number of each; out_of_scope: number of rows that have none of the intents
-- smallest_label, largest_label: number of rows of the rarest and of the most frequent label; a row with several intents
--     counts for each
-- class_balance: entropy of the labels / maximum for this number of labels; 1 if all are equally frequent, NULL for a
--     single label
-- words_per_utterance: mean; see word_count in macros.sql
WITH totals AS (
    SELECT
        source, split,
        GROUPING(source, split) AS level,
        sum(rows) AS rows,
        count(DISTINCT language) AS languages,
        coalesce(sum(rows) FILTER (is_out_of_scope), 0) AS out_of_scope,
        sum(words) AS words
    FROM label_counts
    GROUP BY GROUPING SETS ((source, split), (source), ())
),
by_row AS (
    SELECT source, split, unnest(labels) AS label, rows FROM label_counts
),
by_label AS (
    SELECT source, split, label, GROUPING(source, split) AS level, sum(rows) AS rows
    FROM by_row
    GROUP BY GROUPING SETS ((source, split, label), (source, label), (label))
),
shares AS (
    SELECT *, rows / sum(rows) OVER (PARTITION BY level, source, split) AS share FROM by_label
),
labels AS (
    SELECT
        source, split, level,
        count(*) AS labels,
        min(rows)::BIGINT AS smallest_label,
        max(rows)::BIGINT AS largest_label,
        CASE WHEN count(*) > 1 THEN -sum(share * ln(share) ORDER BY label) / ln(count(*)) END AS class_balance
    FROM shares
    GROUP BY source, split, level
)
SELECT
    t.source, t.split,
    t.rows::BIGINT AS rows,
    coalesce(l.labels, 0) AS labels,
    t.languages,
    t.out_of_scope::BIGINT AS out_of_scope,
    l.smallest_label, l.largest_label, l.class_balance,
    t.words / t.rows AS words_per_utterance
FROM totals t
LEFT JOIN labels l
    ON t.level = l.level AND t.source IS NOT DISTINCT FROM l.source AND t.split IS NOT DISTINCT FROM l.split
WHERE t.rows > 0
ORDER BY t.source NULLS LAST, t.split NULLS LAST
