-- Rows that a filter left out. split: where the row would have stood; rows: how many
SELECT config, filter, source, split, count(*) AS rows
FROM drops
GROUP BY ALL
ORDER BY ALL
