"""The formats of own data: one file for each, which says how it looks, recognises it by its content, and reads it."""
