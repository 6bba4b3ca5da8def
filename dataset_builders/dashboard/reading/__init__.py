"""Read rows one by one: hits of a search, the window behind a count, and the marks of visitors."""
