"""The core as it is uploaded: configuration, model, module of sentence-transformers."""
