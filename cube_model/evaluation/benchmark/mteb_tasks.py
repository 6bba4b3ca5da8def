"""The parts of the benchmark as tasks of `mteb`, which run for every model of mteb.

>>> import mteb
>>> from sentence_transformers import SentenceTransformer
>>> from cube_model.evaluation.benchmark.mteb_tasks import mteb_tasks
>>> tasks = mteb_tasks("my-corpus", tasks=["responses", "actions"])  # a folder or a Hub repository
>>> results = mteb.evaluate(SentenceTransformer("my-encoder"), tasks)

A task computes with the code of `dialogue-cube benchmark`, so equal vectors give equal figures. Speed and parameters,
which mteb reports itself, are no task.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cube_model.errors import ModelError
from cube_model.evaluation.benchmark.action_sets import read_action_set
from cube_model.evaluation.benchmark.config import TASKS, BenchmarkConfig
from cube_model.evaluation.benchmark.inputs import Inputs
from cube_model.evaluation.benchmark.part import Entry, Part, Subject
from cube_model.evaluation.benchmark.plans import Plan, plans
from cube_model.evaluation.benchmark.run import check_libraries
from cube_model.evaluation.intents.encoder import IntentEncoder
from cube_model.metrics.metrics import normalize
from cube_model.teacher.teacher import turn_separator

try:
    from mteb.abstasks import AbsTask
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.languages.iso_mappings import _hf_lang_to_iso_lang_script as language_and_script
except ImportError as error:
    raise ModelError("tasks of mteb need mteb: pip install 'dialogue-cube[mteb]'") from error

if TYPE_CHECKING:
    from mteb.models import EncoderProtocol

_MAIN_SCORES = {
    "responses": "question_accuracy_1_of_100",
    "intents": "accuracy",
    "actions": "1-shot_macro_f1",
    "dialogues": "micro_f1",
}
"""Task -> its main score, or the end of the name of that."""

_TYPES = {
    "responses": "Retrieval",
    "intents": "Classification",
    "actions": "Classification",
    "dialogues": "MultilabelClassification",
}


def mteb_tasks(
    data: str | os.PathLike[str] | None = None, *, action_set: str | os.PathLike[str] | None = None, **options: Any
) -> list[DialogueTask]:
    """Return a task for each part of the benchmark: source, language and, for intents, protocol.

    Args:
        data: Dataset: folder written by `dialogue-cube build`, or Hub repository.
        action_set: Dialog2Flow's published evaluation set.
        options: Further options of `BenchmarkConfig`: `tasks`, `sources`, `languages`, `context_turns`, `max_rows`,
            `seed`.

    Raises:
        ModelError: See `plans`.
    """
    check_libraries()
    places = [None if place is None else str(place) for place in (data, action_set)]
    config = BenchmarkConfig(data=places[0], action_set=places[1], **options)
    if config.tasks is not None and "cost" in config.tasks:
        raise ModelError("tasks: cost is no task of mteb, which reports it itself; leave it out")
    plan_of = plans(Inputs(config), None if config.action_set is None else read_action_set(config.action_set))
    tasks = []
    for task in (task for task in TASKS if task in plan_of and task != "cost"):
        parts = plan_of[task](Subject(config, cast("Any", None), cast("Any", None), None))
        tasks += [DialogueTask(task, part, plan_of[task], config) for part in parts]
    return tasks


class DialogueTask(AbsTask):
    """A part of the benchmark as a task of mteb.

    Its scores are named `SETTING_METRIC`, such as `1-shot_macro_f1`; each has its 95 % interval as `..._ci95`.

    Args:
        task: Task of the benchmark.
        part: The part.
        plan: Plan of the task.
        config: Configuration.
    """

    def __init__(self, task: str, part: Part, plan: Plan, config: BenchmarkConfig) -> None:
        self.part, self._plan, self._config = part, plan, config
        self.metadata = _metadata(task, part, config)
        super().__init__(seed=config.seed)
        self.data_loaded = True  # rows of the part, with the plan

    def evaluate(
        self,
        model: Any,
        split: str = "test",
        subsets_to_run: Sequence[str] | None = None,
        *,
        encode_kwargs: Mapping[str, Any],
        **_: Any,
    ) -> dict[str, dict[str, Any]]:
        """Return the scores of a model.

        Args:
            model: Encoder in the sense of mteb.
            split: The only split, `test`.
            subsets_to_run: The only subset, `default`.
            encode_kwargs: Arguments of the model's `encode`.
        """
        teacher = _MtebTeacher(model, self.metadata, encode_kwargs)
        cache = cast("Any", _NoCache())
        subject = Subject(self._config, IntentEncoder(cast("Any", teacher), cache=cache), cache, None)
        part = next(part for part in self._plan(subject) if part.name == self.part.name)
        scores: dict[str, Any] = {}
        for entry in part.compute():
            name = score_name(entry)
            scores[name], scores[f"{name}_ci95"] = entry["value"], entry["ci95"]
        main = next((name for name in scores if name.endswith(self.metadata.main_score)), next(iter(scores)))
        return {"default": {**scores, "main_score": scores[main], "protocol": self.part.facts["protocol"]}}

    def load_data(self, **_: Any) -> None:
        """Do nothing: the rows of a part are read before there is a task."""

    def unload_data(self) -> None:
        """Do nothing: tasks of one dataset share its rows."""

    def _evaluate_subset(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("`evaluate` does it")

    def _calculate_descriptive_statistics_from_split(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("the statistics of the data are on the card of the dataset")


def score_name(entry: Entry) -> str:
    """Return the name of a score: `"domains, first 3 turns"` and `micro_f1` -> `domains-first-3-turns_micro_f1`."""
    without = "_without_contaminated" if entry.get("contaminated") == "removed" else ""
    return f"{_plain(entry['setting'])}_{entry['metric']}{without}"


def _metadata(task: str, part: Part, config: BenchmarkConfig) -> TaskMetadata:
    digest = hashlib.sha256(json.dumps(part.facts, sort_keys=True).encode()).hexdigest()
    tag = (re.findall(r"\(([\w-]+)\)", part.name) or ["und"])[0]
    return TaskMetadata(
        dataset={"path": str(config.data or config.action_set), "revision": digest},
        name=f"dialogue-cube-{_plain(part.name)}",
        description=f"{part.name}, a part of the benchmark of dialogue encoders: {part.facts['protocol']}",
        type=cast("Any", "Clustering" if part.name.endswith("clustering") else _TYPES[task]),
        category="t2t" if task == "responses" else "t2c",
        eval_splits=["test"],
        eval_langs=[language_and_script(tag.partition("-")[0]) or "und-Zyyy"],
        main_score=_MAIN_SCORES[task],
    )


def _plain(text: str) -> str:
    return re.sub(r"[^\w-]+", "-", text).strip("-")


class _MtebTeacher:
    """Adapter that gives a model of mteb the interface of a `Teacher`."""

    name, fingerprint, parameters = "mteb", "", 0

    def __init__(self, model: EncoderProtocol, metadata: TaskMetadata, encode_kwargs: Mapping[str, Any]) -> None:
        self._model, self._metadata, self._arguments = model, metadata, encode_kwargs
        inner = getattr(model, "model", model)
        self.turn_separator = turn_separator(getattr(inner, "tokenizer", None))

    @property
    def dimension(self) -> int:
        return int(self.encode(["Hello, World!"]).shape[1])

    def encode(self, texts: Sequence[str], *, advance: Callable[[int], object] | None = None) -> np.ndarray:
        from datasets import Dataset
        from torch.utils.data import DataLoader

        rows: Any = Dataset.from_dict({"text": list(texts)})
        vectors: Any = self._model.encode(
            DataLoader(rows, batch_size=self._arguments.get("batch_size", 32)),
            task_metadata=self._metadata,
            hf_split="test",
            hf_subset="default",
            **cast("Any", self._arguments),
        )
        vectors = vectors.float().cpu().numpy() if hasattr(vectors, "cpu") else vectors
        return normalize(np.asarray(vectors, dtype=np.float32))


class _NoCache:
    """The interface of an `EmbeddingCache` for a model without fingerprint, whose vectors cannot be kept."""

    def embed(self, teacher: _MtebTeacher, texts: Sequence[str], **_: Any) -> np.ndarray:
        distinct = list(dict.fromkeys(texts))
        position = {text: row for row, text in enumerate(distinct)}
        return teacher.encode(distinct)[[position[text] for text in texts]]
