-- Dialogues by topic. kind: domain or intent (of a state); name: its name; dialogues: number of dialogues with it
SELECT source, split, language, kind, name, count(*) AS dialogues
FROM (
    SELECT source, split, language, 'domain' AS kind, unnest(domains) AS name FROM dialogs
    UNION ALL
    SELECT source, split, language, 'intent', unnest(intents) FROM dialogs
)
GROUP BY ALL
ORDER BY ALL
