"""The searches: by words and by meaning as SQL and vectors, those of the tab Explorer, and similar utterances."""
