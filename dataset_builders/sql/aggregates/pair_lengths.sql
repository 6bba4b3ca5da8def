-- Pairs by the length of both sides. is_question_answer: from a user's turn to the system's
-- anchor_words, positive_words: length of each side; pairs: how many have these lengths
SELECT
    source, split, language, anchor_speaker = 'user' AND positive_speaker = 'system' AS is_question_answer,
    anchor_words, positive_words,
    count(*) AS pairs
FROM pairs
GROUP BY ALL
ORDER BY ALL
