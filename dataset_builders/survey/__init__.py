"""A look at all sources before rows are written: duplicates, leaks, splits and decisions."""
