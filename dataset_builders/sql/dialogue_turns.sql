-- Dialogues by their length. turns: 100 stands for 100 and more. dialogues: how many of the source have that length
SELECT source, least(turns, 100) AS turns, count(*) AS dialogues
FROM (SELECT source, count(*) AS turns FROM utterance_lengths GROUP BY source, dialogue_id)
GROUP BY ALL
ORDER BY ALL;
