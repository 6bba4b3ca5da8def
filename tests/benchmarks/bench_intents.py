"""Measure a user's intents: heads from few labels beside SetFit, out of scope, labels added later, suggestions.

    python tests/benchmarks/bench_intents.py --data DATASET [--sources banking77,clinc150,hwu64] [--encoder minilm]
        [--parts few,whole,added,suggestions,setfit] [--draws 3] [--setfit-iterations 4] [--setfit-steps 300] [--json FILE]

`few`: 8 utterances an intent, drawn by MTEB's sampler; accuracy, calibration error on the test split, and the processor
seconds of the encoding of these utterances and of the training. `whole`: all training utterances; where the source has
utterances out of scope, the AUROC of the in-scope score, and the shares refused of both kinds.

`added`: the head learns all labels but ten, those are added with `add_label`, and it is compared with one that has
learnt all of them. `suggestions`: V-measure of the clusters of the test utterances; `--scales` prints it on 3,000
training utterances for other values of `SCALE` in `cube_model/intents/config.py`, which must be chosen there.

`setfit` (`pip install setfit`, in an environment of its own) fine-tunes the same encoder on the first draw: pairs of
`--setfit-iterations` positives and negatives for each utterance, one epoch in batches of 16, stopped after `--setfit-steps`
steps. Its own default would take every pair, hours on a processor. Seconds are those of the processor, since wall
seconds depend on what else runs. `--threads` limits the processors.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from cube_model.evaluation.intents.protocols import few_shot_rows
from cube_model.evaluation.intents.task import load_intents
from cube_model.intents.calibration import calibration_error
from cube_model.intents.head import IntentHead
from cube_model.intents.label_names import words_of
from cube_model.intents.suggestions import suggest
from cube_model.machine import hardware, versions
from cube_model.metrics.intent_metrics import auroc, fpr95, v_measure
from cube_model.teacher.teacher import Teacher
from cube_model.vectors.cache import EmbeddingCache

SHOTS = 8
ADDED = 10
TUNING_ROWS = 3000


def words(text):
    return [word for word in text.split(",") if word]


class Timer:
    """Processor seconds of a block."""

    def __enter__(self):
        self._start = time.process_time()
        return self

    def __exit__(self, *_):
        self.seconds = round(time.process_time() - self._start, 2)


def fitted(teacher, cache, task, rows, names=None):
    """A head of training rows, with the seconds of encoding and fitting; other rows come from the cache."""
    names = names or task.classes
    texts = [task.train.texts[row] for row in rows]
    labels = [task.classes[number].partition("/")[2] for number in task.train.labels[rows]]
    distinct = sorted(set(labels))
    with Timer() as timer:
        vectors = teacher.encode([*texts, *map(words_of, distinct)]) if cache is None else None
        if vectors is None:
            vectors = cache.embed(teacher, [*texts, *map(words_of, distinct)])
        own, named = np.split(vectors, [len(texts)])
        head = IntentHead.fit(own, labels, name_vectors=dict(zip(distinct, named, strict=True)))
    return head, timer.seconds


def short(task):
    return [name.partition("/")[2] for name in task.classes]


def right(head, vectors, task, part):
    """Which predictions are right, bool `[n]`, with the probabilities of the best labels."""
    values, labels = head.probabilities(vectors)
    numbers = {name: number for number, name in enumerate(short(task))}
    best = values.argmax(1)
    return np.array([numbers[labels[column]] for column in best]) == part.labels, values.max(1)


def few(teacher, cache, task, options):
    test, results = cache.embed(teacher, task.test.texts), []
    for rows in few_shot_rows(task.train.labels, SHOTS, draws=options.draws):
        head, seconds = fitted(teacher, None, task, rows)
        hits, sure = right(head, test, task, task.test)
        results.append(
            {
                "accuracy": hits.mean(),
                "calibration_error": calibration_error(sure, hits),
                "seconds": seconds,
                "cross_validated_accuracy": head.validation.figures["accuracy"],
                "settings": head.validation.settings,
            }
        )
    return {"draws": results, "accuracy": float(np.mean([each["accuracy"] for each in results])), "rows": len(rows)}


def whole(teacher, cache, task, options):
    head, seconds = fitted(teacher, cache, task, np.arange(len(task.train)))
    test = cache.embed(teacher, task.test.texts)
    hits, sure = right(head, test, task, task.test)
    refused = np.mean([each.is_out_of_scope for each in head.predict(test)])
    result = {
        "accuracy": hits.mean(),
        "calibration_error": calibration_error(sure, hits),
        "seconds_without_encoding": seconds,
        "settings": head.validation.settings,
        "refused_in_scope": refused,
    }
    if len(task.outside):
        outside = cache.embed(teacher, task.outside.texts)
        scores = np.concatenate([head.scores(test), head.scores(outside)])
        inside = np.repeat([1, 0], [len(test), len(outside)])
        result |= {
            "auroc": auroc(inside, scores),
            "fpr95": fpr95(inside, scores),
            "refused_out_of_scope": np.mean([each.is_out_of_scope for each in head.predict(outside)]),
        }
    return result


def added(teacher, cache, task, options):
    """Ten labels are added later with their eight utterances."""
    rows = next(few_shot_rows(task.train.labels, SHOTS, draws=1))
    late = np.random.default_rng(0).choice(len(task.classes), ADDED, replace=False)
    is_late = np.isin(task.train.labels[rows], late)
    head, _ = fitted(teacher, cache, task, rows[~is_late])
    test = cache.embed(teacher, task.test.texts)
    new = np.isin(task.test.labels, late)
    before = head.probabilities(test)[0].argmax(1)
    alone = right(head, test, task, task.test)[0]
    with Timer() as timer:
        for number in late:
            texts = [task.train.texts[row] for row in rows[task.train.labels[rows] == number]]
            head.add_label(short(task)[number], cache.embed(teacher, texts))
    hits = right(head, test, task, task.test)[0]
    after = head.probabilities(test)[0].argmax(1)
    changed = after != before
    assert (after[changed] >= len(task.classes) - ADDED).all()  # only a new label changes a decision
    again = right(fitted(teacher, cache, task, rows)[0], test, task, task.test)[0]
    return {
        "seconds": timer.seconds,
        "all": {"added": hits.mean(), "trained_again": again.mean()},
        "added_labels": {"added": hits[new].mean(), "trained_again": again[new].mean()},
        "other_labels": {"before": alone[~new].mean(), "added": hits[~new].mean(), "trained_again": again[~new].mean()},
    }


def suggestions(teacher, cache, task, options):
    def measure(part, **settings):
        distinct = np.array(sorted({text: row for row, text in reversed(list(enumerate(part.texts)))}.values()))
        part = part.select(distinct)
        with Timer() as timer:
            made = suggest(part.texts, cache.embed(teacher, part.texts), **settings)
        own = [{*words_of(short(task)[number]).split()} for number in part.labels]
        named = [set(each.name.split("_")) for each in made.clusters for _ in each.rows]
        rows = np.concatenate([each.rows for each in made.clusters])
        return {
            "v_measure": v_measure(part.labels, made.labels),
            "clusters": int(made.labels.max()) + 1,
            "named_clusters": len(made.clusters),
            "utterances_in_named": len(rows) / len(part),
            "names_with_a_word_of_the_label": np.mean([bool(n & own[r]) for n, r in zip(named, rows, strict=True)]),
            "seconds": timer.seconds,
        }

    result = {
        "intents": len(np.unique(task.test.labels)),
        "default": measure(task.test),
        "true_number": measure(task.test, count=len(np.unique(task.test.labels))),
    }
    for scale in options.scales:
        rows = np.sort(np.random.default_rng(0).permutation(len(task.train))[:TUNING_ROWS])
        part = task.train.select(rows)
        vectors = cache.embed(teacher, part.texts)
        unit = vectors.mean(0)
        mean = (1 - unit @ unit) * len(vectors) / (len(vectors) - 1)
        made = measure(part, threshold=float(scale) * float(mean))
        result[f"scale {scale} (train)"] = {key: made[key] for key in ("v_measure", "clusters")}
    return result


def setfit(teacher, cache, task, options):
    import torch
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    from cube_model.teacher.find import find_teacher

    rows = next(few_shot_rows(task.train.labels, SHOTS, draws=1))
    torch.manual_seed(0)
    model = SetFitModel.from_pretrained(str(find_teacher(options.encoder, None, None)[0]))
    texts, labels = [task.train.texts[row] for row in rows], task.train.labels[rows].tolist()
    arguments = TrainingArguments(
        output_dir=str(options.setfit_folder),
        batch_size=16,
        num_epochs=1,
        num_iterations=options.setfit_iterations,
        max_steps=options.setfit_steps,
        seed=0,
        report_to="none",
        save_strategy="no",
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=Dataset.from_dict({"text": texts, "label": labels}))
    with Timer() as timer:
        trainer.train()
    predictions = np.asarray(model.predict(task.test.texts))
    return {
        "accuracy": (predictions == task.test.labels).mean(),
        "seconds": timer.seconds,
        "iterations": options.setfit_iterations,
        "steps": options.setfit_steps,
        "pairs_a_step": 16,
    }


PARTS = {"few": few, "whole": whole, "added": added, "suggestions": suggestions, "setfit": setfit}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--sources", type=words, default=["banking77", "clinc150", "hwu64"])
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--parts", type=words, default=["few", "whole", "added", "suggestions"])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--scales", type=words, default=[])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--setfit-iterations", type=int, default=4)
    parser.add_argument("--setfit-steps", type=int, default=300)
    parser.add_argument("--setfit-folder", type=Path, default=Path("setfit"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    teacher, cache = Teacher.load(options.encoder), EmbeddingCache()
    teacher.encode(["warm up"] * 2)
    results = {}
    for source in options.sources:
        (task,) = load_intents(options.data, [source], labels=("intent",)).tasks
        for part in options.parts:
            results.setdefault(source, {})[part] = PARTS[part](teacher, cache, task, options)
            print(source, part, json.dumps(results[source][part], default=float), flush=True)
    if options.json:
        facts = {"encoder": teacher.describe(), "machine": hardware("cpu"), "versions": versions(("setfit",))}
        options.json.write_text(
            json.dumps({**facts, "shots": SHOTS, "results": results}, indent=1, default=float) + "\n"
        )


if __name__ == "__main__":
    main()
