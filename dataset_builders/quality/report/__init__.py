"""The quality report: figures read from a dataset, as tables, plots and one HTML page."""
