-- Distinct answers by source and split; not additive over splits. A NULL split is the whole source, a NULL source the
-- whole corpus. distinct_answers: number of positives, ignoring case, punctuation and spacing
SELECT source, split, count(DISTINCT answer_id) AS distinct_answers
FROM pairs
GROUP BY ROLLUP (source, split)
HAVING count(*) > 0
ORDER BY source NULLS LAST, split NULLS LAST
