-- Labelled utterances by label, with its scenario (the coarser class) and whether it is_out_of_scope (belongs to none
-- of the intents). rows: how many; words, characters: of all of them together
SELECT
    source, split, language, label, scenario, is_out_of_scope,
    count(*) AS rows, sum(words)::BIGINT AS words, sum(characters)::BIGINT AS characters
FROM downstream
GROUP BY ALL
ORDER BY ALL
