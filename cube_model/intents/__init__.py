"""A user's intents on an encoder: heads trained from few labels, new labels without training, suggestions for labels."""
