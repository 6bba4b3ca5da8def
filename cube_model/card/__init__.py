"""The model card: one template for cores, encoders and exports, filled by a training and again by a push."""
