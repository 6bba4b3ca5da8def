-- Pairs by quality score. score: lower bound of a bin of 0.05; pairs: how many of the source; none without scores
SELECT source, score, sum(pairs)::BIGINT AS pairs
FROM score_counts
GROUP BY ALL
ORDER BY ALL
