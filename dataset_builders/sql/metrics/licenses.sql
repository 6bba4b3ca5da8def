-- Rows by licence. license: SPDX identifier; redistributable: whether it allows that; sources: sources under it
SELECT
    config, license, redistributable, sum(rows)::BIGINT AS rows, list(DISTINCT source ORDER BY source) AS sources
FROM row_counts
GROUP BY config, license, redistributable
ORDER BY config, rows DESC, license
