"""Question -> answer pairs to train on: rows of a dataset, a user's own data, or ready-made vectors."""
