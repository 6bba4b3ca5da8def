"""Vectors of texts, computed once and kept on disk."""
