"""Intent sets for evaluation, one file each."""
