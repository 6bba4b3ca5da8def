"""Baselines and the core side by side: training, differences, tables and plots."""
