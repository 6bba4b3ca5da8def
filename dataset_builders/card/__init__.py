"""The dataset card, rendered from the rows and the report of a dataset folder."""
