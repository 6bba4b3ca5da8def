-- Rows of each label of the intent sets by split and language. rows: how many; share: of the rows of that source, split
-- and language, from 0 to 1; scenario: the coarser class of the label; is_out_of_scope: belongs to none of the intents
SELECT
    source, split, language, label, scenario, is_out_of_scope, rows,
    rows / sum(rows) OVER (PARTITION BY source, split, language) AS share
FROM label_counts
ORDER BY source, split, language, rows DESC, label
