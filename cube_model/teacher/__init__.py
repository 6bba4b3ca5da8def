"""The frozen text encoder: finding it, loading it, encoding with it, and its fingerprint."""
