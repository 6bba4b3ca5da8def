"""Question -> answer pairs for training, from a dataset, a user's own data or ready-made embeddings."""
