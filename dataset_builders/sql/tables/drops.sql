-- One row per dropped row. Columns of quality/drops.parquet, or of its parts, and drop_id: row number there, from 1
SELECT row_number() OVER ()::INTEGER AS drop_id, * FROM parquet_drops
