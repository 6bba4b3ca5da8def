"""Pairs of utterances from dialogues and intent sets, and mined hard negatives."""
