"""Embeddings of texts, computed once and cached on disk."""
