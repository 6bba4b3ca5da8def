-- Pairs by source and split. A NULL split is the whole source, a NULL source the whole corpus.
-- pairs: number of pairs; question_answer: number of pairs with an anchor by the user and a positive by the system
-- distinct_answers: number of distinct positives, ignoring case, punctuation and spacing
-- anchor_words, positive_words: mean length in words
-- score: mean quality score, 0 to 1; NULL without scores
WITH lengths AS (
    SELECT
        source, split,
        sum(pairs)::BIGINT AS pairs,
        coalesce(sum(pairs) FILTER (is_question_answer), 0)::BIGINT AS question_answer,
        sum(pairs * anchor_words) / sum(pairs) AS anchor_words,
        sum(pairs * positive_words) / sum(pairs) AS positive_words
    FROM pair_lengths
    GROUP BY ROLLUP (source, split)
    HAVING count(*) > 0
),
scores AS (
    SELECT source, split, sum(millionths) / 1000000 / sum(pairs) AS score
    FROM score_counts
    GROUP BY ROLLUP (source, split)
)
SELECT lengths.source, lengths.split, pairs, question_answer, distinct_answers, anchor_words, positive_words, score
FROM lengths
JOIN answer_counts AS answers
    ON answers.source IS NOT DISTINCT FROM lengths.source AND answers.split IS NOT DISTINCT FROM lengths.split
LEFT JOIN scores
    ON scores.source IS NOT DISTINCT FROM lengths.source AND scores.split IS NOT DISTINCT FROM lengths.split
ORDER BY lengths.source NULLS LAST, lengths.split NULLS LAST
