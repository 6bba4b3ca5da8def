-- One row per dialogue; the table turns holds its turns. Columns of the dataset, and:
-- dialog_text: all its turns, one per line; intents: distinct intents of its states
-- turn_count, words, characters: number of turns, and their total length (see word_count in macros.sql)
-- metadata: the other columns of a user's own data as JSON, read by key: metadata->>'$.team'
WITH spoken AS (
    SELECT *, [turn.text FOR turn IN turns] AS texts FROM parquet_dialogues
)
SELECT
    dialogue_id, source, split, language, original_id, original_split, domains, common_domains,
    list_sort(list_distinct(flatten([[goal.intent FOR goal IN turn.annotations.state] FOR turn IN turns]))) AS intents,
    scenario,
    array_to_string(texts, chr(10)) AS dialog_text,
    len(texts)::INTEGER AS turn_count,
    word_count(array_to_string(texts, ' '))::INTEGER AS words,
    (length(array_to_string(texts, '')))::INTEGER AS characters,
    empty_turns, cluster_id, parallel_id, origin, metadata, flags, license, redistributable, source_version
FROM spoken
