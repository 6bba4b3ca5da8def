"""How well vectors separate intents: tasks, protocols, scores and tables."""
