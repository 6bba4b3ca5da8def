-- Dialogues by length. turns: number of turns, 100 for 100 and more; dialogues: number of the source's dialogues
SELECT source, least(value, 100) AS turns, sum(dialogues)::BIGINT AS dialogues
FROM dialogue_histograms
WHERE measure = 'turns'
GROUP BY ALL
ORDER BY ALL
