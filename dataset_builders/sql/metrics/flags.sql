-- Rows that a check noticed but kept. flag: its name; rows: how many rows of the config and source carry it
SELECT config, source, split, flag, sum(rows)::BIGINT AS rows
FROM flag_counts
GROUP BY ALL
ORDER BY ALL
