"""The survey of all sources before rows are written: duplicates, leaks and splits."""
