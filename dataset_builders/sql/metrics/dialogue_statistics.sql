-- Dialogues by source and split. A NULL split is the whole source, a NULL source the whole corpus.
-- dialogues, utterances: number of dialogues and utterances
-- turns_per_dialogue: mean number of turns
-- words_per_utterance, characters_per_utterance: mean length of an utterance
-- words_per_dialogue, characters_per_dialogue: mean total length of the turns of a dialogue
WITH totals AS (
    SELECT
        source, split,
        sum(dialogues) FILTER (measure = 'turns') AS dialogues,
        sum(dialogues * value) FILTER (measure = 'turns') AS turns,
        sum(dialogues * value) FILTER (measure = 'words') AS words,
        sum(dialogues * value) FILTER (measure = 'characters') AS characters
    FROM dialogue_histograms
    GROUP BY ROLLUP (source, split)
    HAVING count(*) > 0
)
SELECT
    source, split,
    dialogues::BIGINT AS dialogues, turns::BIGINT AS utterances,
    turns / dialogues AS turns_per_dialogue,
    words / turns AS words_per_utterance, characters / turns AS characters_per_utterance,
    words / dialogues AS words_per_dialogue, characters / dialogues AS characters_per_dialogue
FROM totals
ORDER BY source NULLS LAST, split NULLS LAST
