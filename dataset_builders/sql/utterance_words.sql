-- Utterances by their length. words: 100 stands for 100 and more. utterances: how many of the source have that length
SELECT source, least(words, 100) AS words, count(*) AS utterances
FROM utterance_lengths
GROUP BY ALL
ORDER BY ALL;
