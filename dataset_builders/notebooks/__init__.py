"""The analysis notebooks, and their rendering to pages."""
