-- Pairs by quality score, without those that have no score. score: lower bound of a bin of width 0.05
-- millionths: sum of the scores in millionths; a whole number, so that the order of addition does not matter
SELECT
    source, split, language, least(floor(quality.score::DOUBLE * 20), 19) / 20 AS score,
    count(*) AS pairs, sum((quality.score * 1000000)::BIGINT)::BIGINT AS millionths
FROM pairs
WHERE quality.score IS NOT NULL
GROUP BY ALL
ORDER BY ALL
