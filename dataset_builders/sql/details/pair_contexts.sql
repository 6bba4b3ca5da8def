-- The turns before the anchor of each pair, oldest first. context: their speakers and texts. Meant for few pairs at a
-- time:  SELECT context FROM pair_contexts WHERE pair_id = ...
SELECT
    pair_id, dialogue_id,
    coalesce(list({'speaker': speaker, 'text': text} ORDER BY said.turn_index) FILTER (text IS NOT NULL), []) AS context
FROM pairs
LEFT JOIN (SELECT dialogue_id AS of, turn_index, speaker, text FROM turns) AS said
    ON said.of = pairs.dialogue_id
    AND said.turn_index < pairs.turn_index
    AND said.turn_index >= pairs.turn_index - pairs.context_turns
GROUP BY pair_id, dialogue_id
