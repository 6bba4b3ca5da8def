"""What all corpora share: the builder's base, raw files and their readers, the registry, downloads."""
