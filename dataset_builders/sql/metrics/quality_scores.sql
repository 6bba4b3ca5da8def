-- Pairs by quality score; empty without scores. score: lower bound of a bin of width 0.05; pairs: number of the
-- source's pairs
SELECT source, score, sum(pairs)::BIGINT AS pairs
FROM score_counts
GROUP BY ALL
ORDER BY ALL
