"""What makes the data trustworthy: filters, duplicates, leaks, and the report over them."""
