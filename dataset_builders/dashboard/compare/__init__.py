"""Comparisons: sources side by side, two builds of a dataset, two encoders or cores on the same questions."""
