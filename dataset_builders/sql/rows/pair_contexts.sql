-- The turns before the anchor of each pair, oldest first. context: their speakers and texts
SELECT
    pair_id,
    list({'speaker': turns.speaker, 'text': turns.text} ORDER BY turns.turn_index) AS context
FROM pairs
JOIN turns
    ON turns.dialogue_id = pairs.dialogue_id
    AND turns.turn_index < pairs.turn_index
    AND turns.turn_index >= pairs.turn_index - pairs.context_turns
GROUP BY pair_id
