-- Labels of the intent sets by split and language. rows: number of rows; share: share of the rows of this source, split
-- and language, 0 to 1; scenario: coarser class of the label; is_out_of_scope: whether the label is none of the intents
SELECT
    source, split, language, label, scenario, is_out_of_scope, rows,
    rows / sum(rows) OVER (PARTITION BY source, split, language) AS share
FROM label_counts
ORDER BY source, split, language, rows DESC, label
