"""The kinds of positives that an encoder is trained on, one file each."""
