"""Evaluation of maps from question embeddings to answer embeddings."""
