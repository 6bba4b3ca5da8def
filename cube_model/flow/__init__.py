"""Flows: dialogues -> trajectories of clusters of utterances -> an action transition graph."""
