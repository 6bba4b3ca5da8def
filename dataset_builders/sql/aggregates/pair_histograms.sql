-- Pairs by the length of anchor or positive. side: anchor or positive; measure: words or characters
-- value: length in this measure; pairs: number of pairs
SELECT source, split, language, 'anchor' AS side, 'words' AS measure, anchor_words AS value, count(*) AS pairs
FROM pairs GROUP BY ALL
UNION ALL
SELECT source, split, language, 'positive', 'words', positive_words, count(*) FROM pairs GROUP BY ALL
UNION ALL
SELECT source, split, language, 'anchor', 'characters', anchor_characters, count(*) FROM pairs GROUP BY ALL
UNION ALL
SELECT source, split, language, 'positive', 'characters', positive_characters, count(*) FROM pairs GROUP BY ALL
ORDER BY ALL
