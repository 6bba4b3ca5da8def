"""The dataset folder on disk: its layout and its parquet shards."""
