"""Sources -> the dataset folder: options, rows, counts and the build report."""
