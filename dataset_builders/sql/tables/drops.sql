-- One row a row that was left out. Columns of quality/drops.parquet, and drop_id: its number in that file, from 1
SELECT row_number() OVER ()::INTEGER AS drop_id, * FROM parquet_drops
