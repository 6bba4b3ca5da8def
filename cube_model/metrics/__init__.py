"""Metrics for response selection and intents, as functions and as `evaluate` metrics."""
