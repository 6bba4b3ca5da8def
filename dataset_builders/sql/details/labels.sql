-- Labels of the intent sets by split and language. rows: number of rows, where a row with several intents counts for each;
-- share: share of the rows of this source, split and language, 0 to 1; scenario: coarser class of the label;
-- is_out_of_scope: whether the label is none of the intents
WITH by_intent AS (
    SELECT
        source, split, language, unnest(labels) AS label, scenario, is_out_of_scope, rows,
        sum(rows) OVER (PARTITION BY source, split, language) AS total
    FROM label_counts
)
SELECT
    source, split, language, label, scenario, is_out_of_scope,
    sum(rows)::BIGINT AS rows, sum(rows) / any_value(total) AS share
FROM by_intent
GROUP BY source, split, language, label, scenario, is_out_of_scope
ORDER BY source, split, language, rows DESC, label, scenario, is_out_of_scope
