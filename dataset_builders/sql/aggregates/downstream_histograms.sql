-- Labelled utterances by length. measure: words or characters; value: length in this measure; rows: number of rows
SELECT source, split, language, 'words' AS measure, words AS value, count(*) AS rows FROM downstream GROUP BY ALL
UNION ALL
SELECT source, split, language, 'characters', characters, count(*) FROM downstream GROUP BY ALL
ORDER BY ALL
