-- Rows by language and split. config: dialogues or downstream (pairs have the language of their dialogue)
-- language: BCP 47 tag; rows: number of rows
SELECT config, source, language, split, sum(rows)::BIGINT AS rows
FROM row_counts
WHERE config <> 'pairs'
GROUP BY ALL
ORDER BY ALL
