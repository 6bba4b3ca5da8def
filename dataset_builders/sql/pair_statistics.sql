-- Pairs by source and split. A NULL split is the whole source, a NULL source the whole corpus.
-- pairs: how many; question_answer: those from a user's turn to the system's
-- distinct_answers: positives that differ in more than case, punctuation and spacing
-- anchor_words, positive_words: mean length in words
-- score: mean quality score from 0 to 1, NULL where none was computed
SELECT
    source, split,
    count(*) AS pairs,
    count(*) FILTER (is_question_answer) AS question_answer,
    count(DISTINCT answer_id) AS distinct_answers,
    avg(anchor_words) AS anchor_words,
    avg(positive_words) AS positive_words,
    avg((score * 1000000)::BIGINT) / 1000000 AS score  -- whole numbers: the order of adding does not matter
FROM pair_lengths
GROUP BY ROLLUP (source, split)
HAVING count(*) > 0
ORDER BY source NULLS LAST, split NULLS LAST;
