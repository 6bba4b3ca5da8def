-- Clusters of near-duplicate dialogues by size. members: dialogues per cluster; clusters: number of these clusters
-- across_sources: number of them with dialogues from several sources
SELECT members, count(*) AS clusters, count(*) FILTER (sources > 1) AS across_sources
FROM (SELECT count(*) AS members, count(DISTINCT source) AS sources FROM clusters GROUP BY cluster_id)
GROUP BY members
ORDER BY members
