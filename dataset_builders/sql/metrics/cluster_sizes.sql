-- Clusters of duplicate dialogues by size. members: dialogues in a cluster; clusters: how many are of that size
-- across_sources: those of them with members from more than one source
SELECT members, count(*) AS clusters, count(*) FILTER (sources > 1) AS across_sources
FROM (SELECT count(*) AS members, count(DISTINCT source) AS sources FROM clusters GROUP BY cluster_id)
GROUP BY members
ORDER BY members
