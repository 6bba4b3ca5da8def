"""How good a map from question to answer vectors is."""
