-- The 20 largest clusters of near-duplicate dialogues
-- cluster_id; members: number of dialogues; sources: sources of the members; similarity: minimum over the members of
-- their similarity to the nearest member, 0 to 1
-- kinds: kinds of similarity ("equal", "jaccard", "containment"); examples: ids of up to 10 members
SELECT
    cluster_id,
    count(*) AS members,
    list(DISTINCT source ORDER BY source) AS sources,
    min(similarity) AS similarity,
    list(DISTINCT kind ORDER BY kind) FILTER (kind IS NOT NULL) AS kinds,
    min(dialogue_id, 10) AS examples
FROM clusters
GROUP BY cluster_id
ORDER BY members DESC, cluster_id
LIMIT 20
