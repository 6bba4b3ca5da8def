-- Three dropped rows of each filter as examples, redistributable ones first; the choice is the same in every run.
-- Columns as in drops.parquet: row_id, reason, value (the offending value), text (its beginning), license,
-- redistributable
SELECT
    config, filter, example.source, example.row_id, example.reason, example."value" AS "value", example.text,
    example.license, example.redistributable
FROM (
    SELECT
        config, filter,
        unnest(min({
            'is_private': NOT redistributable, 'sort_key': md5(row_id), 'source': source, 'row_id': row_id,
            'reason': reason, 'value': "value", 'text': text, 'license': license, 'redistributable': redistributable
        }, 3)) AS example
    FROM drops
    GROUP BY config, filter
)
ORDER BY config, filter, example.is_private, example.sort_key
