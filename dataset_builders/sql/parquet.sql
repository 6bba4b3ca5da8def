-- Views named parquet_... over the parquet files of a dataset folder.
-- To run it in another folder, first:  SET VARIABLE folder = 'DATASET';

CREATE VIEW IF NOT EXISTS parquet_dialogues AS
SELECT * EXCLUDE filename, split_of(filename) AS split
FROM read_parquet(coalesce(getvariable('folder'), '.') || '/dialogues/*.parquet', filename = true);

CREATE VIEW IF NOT EXISTS parquet_pairs AS
SELECT * EXCLUDE filename, split_of(filename) AS split
FROM read_parquet(coalesce(getvariable('folder'), '.') || '/pairs/*.parquet', filename = true);

CREATE VIEW IF NOT EXISTS parquet_downstream AS
SELECT * EXCLUDE filename, split_of(filename) AS split
FROM read_parquet(coalesce(getvariable('folder'), '.') || '/downstream/*.parquet', filename = true);

CREATE VIEW IF NOT EXISTS parquet_drops AS
SELECT * FROM read_parquet(coalesce(getvariable('folder'), '.') || '/quality/drops*.parquet');

CREATE VIEW IF NOT EXISTS parquet_clusters AS
SELECT * FROM read_parquet(coalesce(getvariable('folder'), '.') || '/quality/clusters*.parquet');
