"""Use of a trained core: load it, map embeddings, search answers, export it."""
