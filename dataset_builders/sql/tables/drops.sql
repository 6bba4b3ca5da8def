-- One row per dropped row. Columns of quality/drops.parquet, and drop_id: row number in that file, from 1
SELECT row_number() OVER ()::INTEGER AS drop_id, * FROM parquet_drops
