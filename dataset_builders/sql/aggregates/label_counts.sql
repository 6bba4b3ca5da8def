-- Labelled utterances by label. rows: how many; words, characters: their sum
SELECT
    source, split, language, label, scenario, is_out_of_scope,
    count(*) AS rows, sum(words)::BIGINT AS words, sum(characters)::BIGINT AS characters
FROM downstream
GROUP BY ALL
ORDER BY ALL
