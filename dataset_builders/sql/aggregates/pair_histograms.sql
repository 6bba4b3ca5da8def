-- Pairs by the length of a side. side: anchor or positive; measure: words or characters; value: so many of them
-- pairs: how many have that length
SELECT source, split, language, 'anchor' AS side, 'words' AS measure, anchor_words AS value, count(*) AS pairs
FROM pairs GROUP BY ALL
UNION ALL
SELECT source, split, language, 'positive', 'words', positive_words, count(*) FROM pairs GROUP BY ALL
UNION ALL
SELECT source, split, language, 'anchor', 'characters', anchor_characters, count(*) FROM pairs GROUP BY ALL
UNION ALL
SELECT source, split, language, 'positive', 'characters', positive_characters, count(*) FROM pairs GROUP BY ALL
ORDER BY ALL
