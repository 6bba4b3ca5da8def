-- Kept rows with a flag. flag: name of the flag; rows: number of rows of the config and source
SELECT config, source, split, flag, sum(rows)::BIGINT AS rows
FROM flag_counts
GROUP BY ALL
ORDER BY ALL
