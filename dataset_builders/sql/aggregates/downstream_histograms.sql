-- Labelled utterances by length. measure: words or characters; value: so many of them; rows: how many have that length
SELECT source, split, language, 'words' AS measure, words AS value, count(*) AS rows FROM downstream GROUP BY ALL
UNION ALL
SELECT source, split, language, 'characters', characters, count(*) FROM downstream GROUP BY ALL
ORDER BY ALL
