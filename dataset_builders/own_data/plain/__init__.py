"""Data of no product: records in JSON and tables, and dialogues in lines of text."""
