"""Using a trained core: load it, map vectors, search answers, export it."""
