-- Labelled utterances by label. label: intents of the row, joined; labels: the same one by one; scenario: coarser class
-- of the label; is_out_of_scope: whether the label is none of the intents; rows: number of rows; words, characters: total
-- length of the rows
SELECT
    source, split, language, label, coalesce(labels, [label]) AS labels, scenario, is_out_of_scope,
    count(*) AS rows, sum(words)::BIGINT AS words, sum(characters)::BIGINT AS characters
FROM downstream
GROUP BY ALL
ORDER BY ALL
