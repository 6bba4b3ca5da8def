"""Arrow tables in files: memory maps, rows of chunked tables, and records that tasks exchange."""
