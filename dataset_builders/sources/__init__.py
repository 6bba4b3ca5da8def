"""Sources: their base classes, registry, raw files and download."""
