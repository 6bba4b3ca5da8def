-- Pairs by quality score; none where no score was computed. score: lower bound of a bin of 0.05
-- millionths: sum of the scores in whole millionths, so that the order of adding does not matter
SELECT
    source, split, language, least(floor(quality.score::DOUBLE * 20), 19) / 20 AS score,
    count(*) AS pairs, sum((quality.score * 1000000)::BIGINT)::BIGINT AS millionths
FROM pairs
WHERE quality.score IS NOT NULL
GROUP BY ALL
ORDER BY ALL
