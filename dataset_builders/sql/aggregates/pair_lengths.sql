-- Pairs by the lengths of anchor and positive. is_question_answer: whether the anchor is the user's and the positive is
-- the system's; anchor_words, positive_words: length in words; pairs: number of pairs with these lengths
SELECT
    source, split, language, anchor_speaker = 'user' AND positive_speaker = 'system' AS is_question_answer,
    anchor_words, positive_words,
    count(*) AS pairs
FROM pairs
GROUP BY ALL
ORDER BY ALL
