"""Analysis notebooks, and their rendering as HTML pages."""
