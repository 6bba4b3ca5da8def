-- Pairs by quality score. score: lower bound of a bin of 0.05; pairs: how many of the source; none without scores
SELECT source, least(floor(score::DOUBLE * 20), 19) / 20 AS score, count(*) AS pairs
FROM pair_lengths
WHERE score IS NOT NULL
GROUP BY ALL
ORDER BY ALL;
