-- Members of every group of two or more dialogues that are duplicates of each other, over all sources
SELECT * FROM parquet_clusters
