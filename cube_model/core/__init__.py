"""The core in its uploadable form: configuration, model and sentence-transformers module."""
