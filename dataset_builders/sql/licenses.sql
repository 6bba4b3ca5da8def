-- Rows by licence. license: SPDX identifier; redistributable: may be passed on; sources: under that licence
SELECT config, license, redistributable, count(*) AS rows, list(DISTINCT source ORDER BY source) AS sources
FROM (
    SELECT 'dialogues' AS config, license, redistributable, source FROM dialogues
    UNION ALL
    SELECT 'pairs', license, redistributable, source FROM pairs
    UNION ALL
    SELECT 'downstream', license, redistributable, source FROM downstream
)
GROUP BY config, license, redistributable
ORDER BY config, rows DESC, license;
