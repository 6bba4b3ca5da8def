-- Lengths by source and split. A NULL split is the whole source, a NULL source the whole corpus.
-- what: kind of length, such as "words per utterance"; number: number of measured items; mean; median; p95: 95th
-- percentile; smallest; largest
WITH counted AS (
    SELECT measure || ' per dialogue' AS what, source, split, value, sum(dialogues) AS n
    FROM dialogue_histograms GROUP BY ALL
    UNION ALL
    SELECT measure || ' per utterance', source, split, value, sum(utterances) FROM utterance_histograms GROUP BY ALL
    UNION ALL
    SELECT measure || ' per ' || side, source, split, value, sum(pairs) FROM pair_histograms GROUP BY ALL
    UNION ALL
    SELECT measure || ' per labelled utterance', source, split, value, sum(rows) FROM downstream_histograms GROUP BY ALL
),
totals AS (
    SELECT what, source, split, GROUPING(source, split) AS level, value, sum(n) AS n
    FROM counted
    GROUP BY GROUPING SETS ((what, source, split, value), (what, source, value), (what, value))
),
ranked AS (
    SELECT
        *,
        sum(n) OVER (PARTITION BY what, level, source, split ORDER BY value) AS up_to_here,
        sum(n) OVER (PARTITION BY what, level, source, split) AS total
    FROM totals
)
SELECT
    what, source, split,
    sum(n)::BIGINT AS number,
    sum(value * n) / sum(n) AS mean,
    min(value) FILTER (up_to_here * 2 >= total) AS median,
    min(value) FILTER (up_to_here * 20 >= total * 19) AS p95,
    min(value) AS smallest,
    max(value) AS largest
FROM ranked
GROUP BY what, level, source, split
ORDER BY what, source NULLS LAST, split NULLS LAST
