"""Data quality: filters, drop records, scores and the quality report."""
