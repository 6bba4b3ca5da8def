-- Dialogues by length. measure: turns, words or characters; value: length in this measure
-- dialogues: number of dialogues of this length
SELECT source, split, language, 'turns' AS measure, turn_count AS value, count(*) AS dialogues FROM dialogs GROUP BY ALL
UNION ALL
SELECT source, split, language, 'words', words, count(*) FROM dialogs GROUP BY ALL
UNION ALL
SELECT source, split, language, 'characters', characters, count(*) FROM dialogs GROUP BY ALL
ORDER BY ALL
