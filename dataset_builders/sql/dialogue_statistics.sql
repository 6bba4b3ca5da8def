-- Dialogues by source and split. A NULL split is the whole source, a NULL source the whole corpus.
-- dialogues, utterances: how many
-- turns_per_dialogue: mean
-- words_per_utterance, characters_per_utterance: mean length of an utterance
-- words_per_dialogue, characters_per_dialogue: mean length of a dialogue, all its turns together
SELECT
    source, split,
    count(*) AS dialogues,
    sum(turns)::BIGINT AS utterances,
    avg(turns) AS turns_per_dialogue,
    sum(words) / sum(turns) AS words_per_utterance,
    sum(characters) / sum(turns) AS characters_per_utterance,
    avg(words) AS words_per_dialogue,
    avg(characters) AS characters_per_dialogue
FROM (
    SELECT source, split, count(*) AS turns, sum(words) AS words, sum(characters) AS characters
    FROM utterance_lengths
    GROUP BY source, split, dialogue_id
)
GROUP BY ROLLUP (source, split)
HAVING count(*) > 0
ORDER BY source NULLS LAST, split NULLS LAST;
