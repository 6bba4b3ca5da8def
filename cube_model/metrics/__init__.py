"""Metrics of response selection and of intents, also as `evaluate` loads them."""
