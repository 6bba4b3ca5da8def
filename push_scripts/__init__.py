"""Datasets and weights -> the Hugging Face Hub: licence gate, cards, one atomic commit.

`push_dataset.push_dataset` and `push_model.push_model` do the work; `cli.register` mounts them as
`dialogue-cube push dataset` and `dialogue-cube push model`. No other package imports this one.
"""
