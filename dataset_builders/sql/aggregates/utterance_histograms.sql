-- Utterances of dialogues by length and speaker. measure: words or characters; value: so many of them
-- utterances: how many have that length
SELECT source, split, language, speaker, 'words' AS measure, words AS value, count(*) AS utterances
FROM turns GROUP BY ALL
UNION ALL
SELECT source, split, language, speaker, 'characters', characters, count(*) FROM turns GROUP BY ALL
ORDER BY ALL
