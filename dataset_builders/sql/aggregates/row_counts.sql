-- Rows by licence. config: dialogues, pairs or downstream; license: SPDX identifier
-- redistributable: whether the licence allows redistribution
SELECT 'dialogues' AS config, source, split, language, license, redistributable, count(*) AS rows
FROM dialogs GROUP BY ALL
UNION ALL
SELECT 'pairs', source, split, language, license, redistributable, count(*) FROM pairs GROUP BY ALL
UNION ALL
SELECT 'downstream', source, split, language, license, redistributable, count(*) FROM downstream GROUP BY ALL
ORDER BY ALL
