-- Utterances by length. words: number of words, 100 for 100 and more; utterances: number of the source's utterances
SELECT source, least(value, 100) AS words, sum(utterances)::BIGINT AS utterances
FROM utterance_histograms
WHERE measure = 'words'
GROUP BY ALL
ORDER BY ALL
