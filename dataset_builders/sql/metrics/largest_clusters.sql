-- The 20 largest clusters of duplicate dialogues
-- cluster_id; members: how many; sources: theirs; similarity: the smallest between a member and its nearest, 0 to 1
-- kinds: how members were found ("equal", "jaccard", "containment"); examples: ids of up to 10 members
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
