-- Distinct answers by the places that they occur in, which are additive over sets of places: the number of distinct
-- answers of some sources, splits and languages is the sum of `answers` over the sets with one of their places.
-- place_set: number of the set; one row for each place of it; answers: number of answers that occur in exactly these
WITH places AS (
    SELECT source, split, language, row_number() OVER (ORDER BY source, split, language) AS place
    FROM (SELECT DISTINCT source, split, language FROM pairs)
),
answers AS (
    SELECT answer_id, list_sort(list(DISTINCT place)) AS inside
    FROM pairs
    JOIN places
        ON places.source = pairs.source AND places.split = pairs.split AND places.language = pairs.language
    GROUP BY answer_id
),
sets AS (
    SELECT row_number() OVER (ORDER BY inside) AS place_set, inside, count(*) AS answers
    FROM answers
    GROUP BY inside
)
SELECT place_set, source, split, language, answers
FROM (SELECT place_set, answers, unnest(inside) AS place FROM sets)
JOIN places USING (place)
ORDER BY place_set, source, split, language
