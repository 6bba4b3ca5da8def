-- Rows by language and split. config: dialogues or downstream (pairs have the language of their dialogue)
-- language: BCP 47; rows: how many
SELECT config, source, language, split, sum(rows)::BIGINT AS rows
FROM row_counts
WHERE config <> 'pairs'
GROUP BY ALL
ORDER BY ALL
