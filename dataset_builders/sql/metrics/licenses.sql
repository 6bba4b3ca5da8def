-- Rows by licence. license: SPDX identifier; redistributable: whether the licence allows redistribution
-- sources: sources under this licence
SELECT
    config, license, redistributable, sum(rows)::BIGINT AS rows, list(DISTINCT source ORDER BY source) AS sources
FROM row_counts
GROUP BY config, license, redistributable
ORDER BY config, rows DESC, license
