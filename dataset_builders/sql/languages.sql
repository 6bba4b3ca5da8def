-- Rows by language and split. config: dialogues or downstream (pairs have the language of their dialogue)
-- language: BCP 47; rows: how many
SELECT 'dialogues' AS config, source, language, split, count(*) AS rows FROM dialogues GROUP BY ALL
UNION ALL
SELECT 'downstream', source, language, split, count(*) FROM downstream GROUP BY ALL
ORDER BY ALL;
