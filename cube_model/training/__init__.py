"""Training of the core: configuration, batches, losses, trainer, checkpoints and output."""
