-- Utterances by their length. words: 100 stands for 100 and more. utterances: how many of the source have that length
SELECT source, least(value, 100) AS words, sum(utterances)::BIGINT AS utterances
FROM utterance_histograms
WHERE measure = 'words'
GROUP BY ALL
ORDER BY ALL
