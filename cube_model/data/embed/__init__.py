"""`dialogue-cube embed`: the vectors of all texts of a dataset, in parts, on any number of workers."""
