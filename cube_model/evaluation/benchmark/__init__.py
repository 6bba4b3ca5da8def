"""The benchmark of dialogue encoders: response selection, intents, actions, dialogues and cost in one table."""
