-- The context of each pair: the turns before its anchor, oldest first. context: speaker and text of each turn. For a few
-- pairs at a time:  SELECT context FROM pair_contexts WHERE pair_id = ...
SELECT
    pair_id, dialogue_id,
    coalesce(list({'speaker': speaker, 'text': text} ORDER BY t.turn_index) FILTER (text IS NOT NULL), []) AS context
FROM pairs
LEFT JOIN (SELECT dialogue_id AS of, turn_index, speaker, text FROM turns) AS t
    ON t.of = pairs.dialogue_id
    AND t.turn_index < pairs.turn_index
    AND t.turn_index >= pairs.turn_index - pairs.context_turns
GROUP BY pair_id, dialogue_id
