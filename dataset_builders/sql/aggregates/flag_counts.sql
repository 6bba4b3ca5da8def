-- Rows that a check noticed but kept. config: dialogues, pairs or downstream; flag: its name; rows: how many carry it
SELECT config, source, split, language, flag, count(*) AS rows
FROM (
    SELECT 'dialogues' AS config, source, split, language, unnest(flags) AS flag FROM dialogs
    UNION ALL
    SELECT 'pairs', source, split, language, unnest(flags) FROM pairs
    UNION ALL
    SELECT 'downstream', source, split, language, unnest(flags) FROM downstream
)
GROUP BY ALL
ORDER BY ALL
