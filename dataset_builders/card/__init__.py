"""The dataset card, rendered from the folder and the build report."""
