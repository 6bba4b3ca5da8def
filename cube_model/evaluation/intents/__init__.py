"""Evaluation of how well embeddings separate intents: tasks, protocols, scores and tables."""
