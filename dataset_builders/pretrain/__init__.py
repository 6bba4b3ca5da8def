"""Dialogue corpora for pretraining, one file each."""
