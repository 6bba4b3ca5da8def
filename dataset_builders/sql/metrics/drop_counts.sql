-- Dropped rows by filter. split: split of the rows; rows: number of rows
SELECT config, filter, source, split, count(*) AS rows
FROM drops
GROUP BY ALL
ORDER BY ALL
