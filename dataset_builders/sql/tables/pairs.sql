-- One row per pair of utterances: the positive is the turn after the anchor. Columns of the dataset, and:
-- context_turns: number of turns before the anchor that are its context; the view pair_contexts holds their texts
-- negatives: the column negative of the dataset is the first of them
-- anchor_words, positive_words, anchor_characters, positive_characters: lengths of anchor and positive
-- text_key: number of the anchor, see macros.sql
-- metadata: the other columns of a user's own data as JSON, read by key: metadata->>'$.team'
SELECT
    pair_id, dialogue_id, turn_index, source, split, language, domains,
    anchor, positive, anchor_speaker, positive_speaker,
    len(context)::INTEGER AS context_turns,
    word_count(anchor)::INTEGER AS anchor_words, word_count(positive)::INTEGER AS positive_words,
    length(anchor)::INTEGER AS anchor_characters, length(positive)::INTEGER AS positive_characters,
    text_key(anchor) AS text_key,
    answer_id, negatives, pair_type, cluster_id, quality, parallel_id, origin, metadata, flags, license, redistributable
FROM parquet_pairs
