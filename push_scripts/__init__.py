"""Publish datasets, weights and metrics on the Hugging Face Hub: licence gate, cards, one atomic commit.

`push_dataset.push_dataset`, `push_model.push_model` and `push_metric.push_metric` do the work; `cli.register` adds them
to the command line as `dialogue-cube push dataset`, `model` and `metric`. Only the command line imports this package.
"""
