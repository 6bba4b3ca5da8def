-- Pairs by the length of both sides together. anchor_words, positive_words: 100 stands for 100 and more
-- pairs: how many of the whole corpus have these lengths
SELECT
    least(anchor_words, 100) AS anchor_words, least(positive_words, 100) AS positive_words, sum(pairs)::BIGINT AS pairs
FROM pair_lengths
GROUP BY ALL
ORDER BY ALL
