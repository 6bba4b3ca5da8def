"""The frozen text encoder under a core: find it, load it, encode with it and fingerprint it."""
