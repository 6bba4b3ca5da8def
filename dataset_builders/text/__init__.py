"""Comparison of texts: normal form and near-duplicates."""
