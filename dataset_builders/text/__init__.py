"""Comparing texts: a normal form, and near-duplicates."""
