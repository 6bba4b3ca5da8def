-- Members of the clusters of near-duplicate dialogues over all sources; each cluster has at least two
SELECT * FROM parquet_clusters
