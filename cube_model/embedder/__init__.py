"""Fine-tuning of a text encoder on dialogue: `accelerate launch -m cube_model.embedder`."""
