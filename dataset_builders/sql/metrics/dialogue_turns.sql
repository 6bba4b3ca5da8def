-- Dialogues by their length. turns: 100 stands for 100 and more. dialogues: how many of the source have that length
SELECT source, least(value, 100) AS turns, sum(dialogues)::BIGINT AS dialogues
FROM dialogue_histograms
WHERE measure = 'turns'
GROUP BY ALL
ORDER BY ALL
