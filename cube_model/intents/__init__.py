"""A user's intents on an encoder: heads from few labels, labels added without training, suggestions for labels."""
