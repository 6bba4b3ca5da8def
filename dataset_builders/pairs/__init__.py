"""Pairs of utterances from dialogues and intent sets, mined hard negatives, and dialogues as messages of a chat."""
