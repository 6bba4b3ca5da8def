"""The build: sources -> dataset folder, with its options, counts and report."""
