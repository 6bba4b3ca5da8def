"""Metrics for the `evaluate` library: embeddings or labels in, one number out.

>>> import evaluate
>>> from cube_model.metrics.evaluate_metrics import ResponseSelection
>>> both = evaluate.combine([ResponseSelection("accuracy_1_of_100"), ResponseSelection("mrr")])
>>> both.compute(predictions=mapped_questions, references=mapped_answers, labels=answer_ids)

`write_metric_folder` copies this file, `metrics.py` and `intent_metrics.py` into a self-contained metric folder for
response selection and intents: `evaluate.load(folder, "mrr")`, `evaluate.load(folder, "macro_f1")`, or, once it is
pushed as a Space, `evaluate.load("org/dialogue_metrics", "mrr")`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import datasets
import evaluate
import numpy as np

from .intent_metrics import METRICS as INTENT_METRICS
from .metrics import BATCH, Draws, cosines, gold_ranks, normalize, one_of_batch

CONFIGS = ("accuracy_1_of_100", "accuracy_1_of_100_by_index", "mrr", "recall_at_k", "mean_cosine")

_DESCRIPTION = """\
Does a question find its answer? These metrics compare embeddings of questions and answers by cosine.
accuracy_1_of_100: share of questions whose best answer, among the true one and 99 others in seeded shuffled batches,
has the same text (label) as the true one. accuracy_1_of_100_by_index: the same, but the best answer must be the very
row of the true one. mrr: mean of 1 / rank of the true answer among all distinct answers. recall_at_k: share of
questions whose true answer has a rank of at most k. mean_cosine: mean cosine of question and true answer.
"""

_CITATION = """\
@inproceedings{henderson-etal-2019-repository,
  title = {A Repository of Conversational Datasets},
  author = {Henderson, Matthew and others},
  booktitle = {Proceedings of the First Workshop on NLP for Conversational AI},
  year = {2019},
  url = {https://arxiv.org/abs/1904.06472}
}"""

_INPUTS = """\
Args:
    predictions: n mapped questions, each a vector of d numbers.
    references: n mapped answers, each a vector of d numbers; row i answers question i.
    labels: n integers, equal for equal answers (range(n) if all differ).
    seed: random seed of the batches of accuracy_1_of_100 (default 0).
    draws: number of shuffles to average over (default 3).
    k: cut-off of recall_at_k (default 10).
"""


class DialogueMetric(evaluate.Metric):
    """The metric named by `config_name`, for response selection or intents; 1-of-100 accuracy by default.

    This class must be the first metric in the file: `evaluate.load` takes the first one it finds. For the same reason,
    `IntentMetric` is imported only inside a method.
    """

    config_name: str

    def _info(self) -> evaluate.MetricInfo:
        names = (*CONFIGS, *INTENT_METRICS)
        if self.config_name not in ("default", *names):
            raise ValueError(f"unknown metric {self.config_name!r}: expected one of {', '.join(names)}")
        return self._metric_class()._info(self)

    def _compute(self, **inputs: Any) -> dict[str, float]:
        results: dict[str, float] = self._metric_class()._compute(self, **inputs)
        return results

    def _metric_class(self) -> Any:
        from .intent_metrics import IntentMetric

        return IntentMetric if self.config_name in INTENT_METRICS else ResponseSelection


class ResponseSelection(evaluate.Metric):
    """The metric named by `config_name`, one of `CONFIGS`; 1-of-100 accuracy by default."""

    config_name: str

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name == "default":
            self.config_name = CONFIGS[0]
        if self.config_name not in CONFIGS:
            raise ValueError(f"unknown metric {self.config_name!r}: expected one of {', '.join(CONFIGS)}")
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features(
                {
                    "predictions": datasets.List(datasets.Value("float32")),
                    "references": datasets.List(datasets.Value("float32")),
                    "labels": datasets.Value("int64"),
                }
            ),
            reference_urls=["https://arxiv.org/abs/1904.06472"],
        )

    def _compute(
        self,
        predictions: list[list[float]],
        references: list[list[float]],
        labels: list[int],
        seed: int = 0,
        draws: int = 3,
        k: int = 10,
    ) -> dict[str, float]:
        questions, answers = (normalize(np.asarray(rows, dtype=np.float32)) for rows in (predictions, references))
        gold = np.asarray(labels)
        if self.config_name == "mean_cosine":
            return {"mean_cosine": float(cosines(questions, answers).mean())}
        if self.config_name.startswith("accuracy"):
            batches = Draws.of(len(gold), draws=draws, seed=seed, size=BATCH)
            by_text, by_index, _ = one_of_batch(questions, answers, gold, batches)
            correct = by_index if self.config_name.endswith("by_index") else by_text
            return {self.config_name: float(np.nanmean(correct, dtype=np.float64))}
        _, first, position = np.unique(gold, return_index=True, return_inverse=True)
        ranks = gold_ranks(questions, answers[first], position)
        if self.config_name == "mrr":
            return {"mrr": float((1 / ranks).mean())}
        return {f"recall_at_{k}": float((ranks <= k).mean())}


def write_metric_folder(folder: str | os.PathLike[str]) -> Path:
    """Write a metric folder that does not depend on this package, for `evaluate.load` or a Space.

    Args:
        folder: Target folder, created if missing. The script in it takes the folder's name, as `evaluate.load`
            expects.

    Returns:
        Path of the folder.

    Raises:
        FileExistsError: The folder is not empty and contains no earlier metric.
    """
    target = Path(folder).resolve()
    if target.is_dir() and any(target.iterdir()) and not (target / f"{target.name}.py").is_file():
        raise FileExistsError(f"{target}: not empty, and not a metric folder; choose a new folder")
    target.mkdir(parents=True, exist_ok=True)
    source = Path(__file__)
    files = {
        f"{target.name}.py": source.read_text(encoding="utf-8"),
        **{name: source.with_name(name).read_text(encoding="utf-8") for name in ("metrics.py", "intent_metrics.py")},
        "requirements.txt": "evaluate>=0.4.6\ndatasets>=5.2\nnumpy\nscikit-learn\n",
        "README.md": _card(target.name),
        "app.py": _APP.format(name=target.name, config=CONFIGS[0]),
    }
    for name, content in files.items():
        temporary = target / f".{name}.tmp"
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(target / name)
    return target


def _card(name: str) -> str:
    from . import intent_metrics

    return _CARD.format(
        name=name,
        description=_DESCRIPTION,
        inputs=_INPUTS,
        configs=", ".join(CONFIGS),
        intent_description=intent_metrics._DESCRIPTION,
        intent_inputs=intent_metrics._INPUTS,
        intent_configs=", ".join(INTENT_METRICS),
    )


_CARD = """---
title: Response selection and intents
sdk: gradio
app_file: app.py
pinned: false
tags:
- evaluate
- metric
---
# Response selection and intents

```python
import evaluate

mrr = evaluate.load("ORG/{name}", "mrr")  # or the path of this folder
print(mrr.compute(predictions=[[1.0, 0.0], [0.0, 1.0]], references=[[0.9, 0.1], [0.8, 0.2]], labels=[0, 1]))
f1 = evaluate.load("ORG/{name}", "macro_f1")
print(f1.compute(predictions=[0, 1, 1], references=[0, 1, 0]))
```

## Response selection

{description}
Configurations: {configs}.

```
{inputs}```

## Intents

{intent_description}
Configurations: {intent_configs}.

```
{intent_inputs}```
"""

_APP = """import evaluate
from evaluate.utils import launch_gradio_widget

launch_gradio_widget(evaluate.load("{name}", "{config}"))
"""
