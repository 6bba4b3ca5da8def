-- Utterances of dialogues by length and speaker. measure: words or characters; value: length in this measure
-- utterances: number of utterances of this length
SELECT source, split, language, speaker, 'words' AS measure, words AS value, count(*) AS utterances
FROM turns GROUP BY ALL
UNION ALL
SELECT source, split, language, speaker, 'characters', characters, count(*) FROM turns GROUP BY ALL
ORDER BY ALL
