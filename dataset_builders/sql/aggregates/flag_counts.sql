-- Kept rows with a flag. config: dialogues, pairs or downstream; flag: name of the flag; rows: number of rows
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
