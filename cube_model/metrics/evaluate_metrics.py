"""The metrics for the `evaluate` library: vectors or labels in, one figure out.

>>> import evaluate
>>> from cube_model.metrics.evaluate_metrics import ResponseSelection
>>> both = evaluate.combine([ResponseSelection("accuracy_1_of_100"), ResponseSelection("mrr")])
>>> both.compute(predictions=mapped_questions, references=mapped_answers, labels=answer_ids)

`write_metric_folder` copies this file, `metrics.py` and `intent_metrics.py` into a folder that is a metric by itself,
of response selection and of intents: `evaluate.load(folder, "mrr")`, `evaluate.load(folder, "macro_f1")`, or
`evaluate.load("org/dialogue_metrics", "mrr")` when it is pushed as a Space.
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
Does a question find its answer? Vectors of questions and of their true answers are compared by cosine.
accuracy_1_of_100: share of the questions whose best-scored answer among their own and 99 others, in seeded shuffled
batches, says the same as the true one (by text, that is by label); accuracy_1_of_100_by_index: ... is the very row of
the true one; mrr: mean of 1 / rank of the true answer among all distinct answers; recall_at_k: share of the ranks up to
k; mean_cosine: mean cosine of question and true answer.
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
    predictions: n vectors of d numbers, the mapped questions.
    references: n vectors of d numbers, the mapped answers; row i answers question i.
    labels: n whole numbers, equal for answers that say the same (range(n) when all differ).
    seed: of the batches of accuracy_1_of_100 (0).
    draws: shuffles that are averaged (3).
    k: rank of recall_at_k (10).
"""


class DialogueMetric(evaluate.Metric):
    """Any of the metrics by `config_name`: one of `CONFIGS` or of the intents'; 1-of-100 accuracy when not given.

    It stands first in this file and before anything imported: `evaluate.load` takes the first metric that it finds.
    """

    config_name: str

    def _info(self) -> evaluate.MetricInfo:
        known = (*CONFIGS, *INTENT_METRICS)
        if self.config_name not in ("default", *known):
            raise ValueError(f"no metric {self.config_name!r}; there are {', '.join(known)}")
        return self._kind()._info(self)

    def _compute(self, **given: Any) -> dict[str, float]:
        found: dict[str, float] = self._kind()._compute(self, **given)
        return found

    def _kind(self) -> Any:
        from .intent_metrics import IntentMetric

        return IntentMetric if self.config_name in INTENT_METRICS else ResponseSelection


class ResponseSelection(evaluate.Metric):
    """One metric, named by `config_name`: one of `CONFIGS`; 1-of-100 accuracy when not given."""

    config_name: str

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name == "default":
            self.config_name = CONFIGS[0]
        if self.config_name not in CONFIGS:
            raise ValueError(f"no metric {self.config_name!r}; there are {', '.join(CONFIGS)}")
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
            plan = Draws.of(len(gold), draws=draws, seed=seed, size=BATCH)
            by_text, by_index, _ = one_of_batch(questions, answers, gold, plan)
            found = by_index if self.config_name.endswith("by_index") else by_text
            return {self.config_name: float(np.nanmean(found, dtype=np.float64))}
        _, first, place = np.unique(gold, return_index=True, return_inverse=True)
        ranks = gold_ranks(questions, answers[first], place)
        if self.config_name == "mrr":
            return {"mrr": float((1 / ranks).mean())}
        return {f"recall_at_{k}": float((ranks <= k).mean())}


def write_metric_folder(folder: str | os.PathLike[str]) -> Path:
    """Write the metric as a folder that needs nothing of this package; `evaluate.load` takes it, and so does a Space.

    Args:
        folder: Made when missing; its name names the script in it, as `evaluate.load` expects.

    Returns:
        The folder.

    Raises:
        FileExistsError: The folder holds something that is no earlier metric.
    """
    target = Path(folder).resolve()
    if target.is_dir() and any(target.iterdir()) and not (target / f"{target.name}.py").is_file():
        raise FileExistsError(f"{target} holds something else; name a new folder for the metric")
    target.mkdir(parents=True, exist_ok=True)
    here = Path(__file__)
    beside = {name: here.with_name(name).read_text(encoding="utf-8") for name in ("metrics.py", "intent_metrics.py")}
    files = {
        f"{target.name}.py": here.read_text(encoding="utf-8"),
        **beside,
        "requirements.txt": "evaluate>=0.4.6\ndatasets>=5.2\nnumpy\nscikit-learn\n",
        "README.md": _card(target.name),
        "app.py": _APP.format(name=target.name, config=CONFIGS[0]),
    }
    for name, content in files.items():
        aside = target / f".{name}.tmp"
        aside.write_text(content, encoding="utf-8")
        aside.replace(target / name)
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
