-- Pairs by the lengths of anchor and positive. anchor_words, positive_words: length in words, 100 for 100 and more
-- pairs: number of pairs of the whole corpus with these lengths
SELECT
    least(anchor_words, 100) AS anchor_words, least(positive_words, 100) AS positive_words, sum(pairs)::BIGINT AS pairs
FROM pair_lengths
GROUP BY ALL
ORDER BY ALL
