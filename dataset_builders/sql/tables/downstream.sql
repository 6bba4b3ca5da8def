-- One row per labelled utterance of an intent set. Columns of the dataset, and:
-- words, characters: length of the utterance; see word_count in macros.sql
-- text_key: number of the utterance, see macros.sql
-- metadata: the other columns of a user's own data as JSON, read by key: metadata->>'$.team'
SELECT
    utterance_id, source, split, utterance, label, labels, scenario, is_out_of_scope, language, original_split,
    word_count(utterance)::INTEGER AS words, length(utterance)::INTEGER AS characters,
    text_key(utterance) AS text_key,
    parallel_id, origin, metadata, flags, license, redistributable
FROM parquet_downstream
