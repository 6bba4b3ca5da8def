"""Comparison of the core with baselines: training, differences, tables and plots."""
