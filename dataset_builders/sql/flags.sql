-- Rows that a check noticed but kept. flag: its name; rows: how many rows of the config and source carry it
SELECT config, source, split, flag, count(*) AS rows
FROM (
    SELECT 'dialogues' AS config, source, split, unnest(flags) AS flag FROM dialogues
    UNION ALL
    SELECT 'pairs', source, split, unnest(flags) FROM pairs
    UNION ALL
    SELECT 'downstream', source, split, unnest(flags) FROM downstream
)
GROUP BY ALL
ORDER BY ALL;
