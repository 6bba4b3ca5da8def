-- One row per utterance of a dialogue. turn_index: position in the dialogue, from 0; words, characters: its length
-- annotations: acts, slots and state as in the source, and common_...: the same in words that all sources share
-- speaker_id: tells more than two speakers apart
-- text_key: number of the text, see macros.sql
SELECT
    dialogue_id, turn_index - 1 AS turn_index, source, split, language,
    turn.speaker AS speaker, turn.text AS text,
    word_count(turn.text)::INTEGER AS words, length(turn.text)::INTEGER AS characters,
    text_key(turn.text) AS text_key,
    turn.annotations AS annotations, turn.speaker_id AS speaker_id
FROM (
    SELECT
        dialogue_id, source, split, language,
        unnest(turns) AS turn, generate_subscripts(turns, 1)::INTEGER AS turn_index
    FROM parquet_dialogues
)
