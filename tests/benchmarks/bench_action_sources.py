"""Tell by source the labels of Dialog2Flow's set, and what encoders reach on each part.

    python tests/benchmarks/bench_action_sources.py --data DATASET [--trained-on DATASET] --action-set FILE --encoders minilm,actions

The set does not say where its utterances are from. A label is counted to the source of `--data` in which at least 30 % of
its utterances occur, in any spelling and split; else to the source of `--trained-on` whose turns have all of its slots.
"annotated": how many of the English training turns of `--trained-on` have acts or slots, from which an encoder of actions
can learn. Prints the mean 1-shot and 5-shot F1 over the labels of each part, by the protocol of `dialogue-cube benchmark`,
in which all 313 labels are candidates.
"""

import argparse
import re
from collections import Counter, defaultdict

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.metrics import f1_score

from cube_model.data.turns import read_turns
from cube_model.embedder.decontamination import spelling
from cube_model.evaluation.benchmark.action_sets import read_action_set
from cube_model.evaluation.benchmark.actions import SHOTS, draws
from cube_model.teacher.teacher import Teacher

SHARE = 0.3
"""Share of the utterances of a label that must occur in a source."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--trained-on", help="dataset of the encoder of actions (default: --data)")
    parser.add_argument("--action-set", required=True)
    parser.add_argument("--encoders", required=True)
    parser.add_argument("--dtype", default="bfloat16")
    options = parser.parse_args()
    actions = read_action_set(options.action_set)
    places = sources_of_texts(options.data)
    annotated, slots = annotations(options.trained_on or options.data)
    origin = np.array([source_of_label(actions, label, places, slots) for label in range(len(actions.names))])
    parts = [name for name, _ in Counter(origin.tolist()).most_common()]
    names = options.encoders.split(",")
    figures = {name: f1_of_labels(name, actions, options.dtype) for name in names}
    table = Table("source", "labels", "annotated", *(f"{name}, {shots}-shot" for name in names for shots in SHOTS))
    for part in [*parts, "all"]:
        inside = origin == part if part != "all" else np.ones(len(origin), dtype=bool)
        cells = [f"{100 * figures[name][shots][inside].mean():.1f}" for name in names for shots in SHOTS]
        table.add_row(part, str(inside.sum()), f"{annotated.get(part, 0):,}" if part != "all" else "", *cells)
    Console(width=140).print(table)


def sources_of_texts(data):
    """Return the sources of each spelling, over all splits."""
    places = defaultdict(set)
    for split in ("train", "validation", "test"):
        turns = read_turns(data, split, languages=["en"])
        for row in range(len(turns)):
            places[spelling(turns.texts[row])].add(turns.sources[turns.dialogues[row]])
    return places


def annotations(data):
    """Return for each source the number of training turns with acts or slots, and the slots of at least ten of them."""
    turns = read_turns(data, "train", languages=["en"])
    annotated, slots = Counter(), defaultdict(Counter)
    for row in range(len(turns)):
        source = turns.sources[turns.dialogues[row]]
        annotated[source] += bool(turns.acts[row] or turns.slots[row])
        slots[source].update(map(plain, turns.own_slots[row]))
    return annotated, {source: {slot for slot, n in counts.items() if n >= 10} for source, counts in slots.items()}


def plain(slot):
    """Return a slot as the set writes it: `num.tickets` as `num ticket`."""
    return " ".join(word.removesuffix("s") for word in re.split(r"[^a-z0-9]+", slot.lower()) if word)


def source_of_label(actions, label, places, slots):
    """Return the source in which most utterances of a label occur, or which has all of its slots, or "elsewhere"."""
    rows = np.flatnonzero(actions.labels == label)
    counts = Counter(source for row in rows for source in places.get(spelling(actions.texts[row]), ()))
    source, count = counts.most_common(1)[0] if counts else ("elsewhere", 0)
    if count >= SHARE * len(rows):
        return source
    _, _, names = actions.names[label].removeprefix("USER: ").partition(" ")
    wanted = {plain(slot) for slot in names.split(",") if slot.strip()}
    return next((source for source in sorted(slots) if wanted and wanted <= slots[source]), "elsewhere")


def f1_of_labels(name, actions, dtype):
    """Return the F1 of each label, for each number of shots: the mean over the draws."""
    vectors = Teacher.load(name, dtype, "cpu").encode(actions.texts).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    result, classes = {}, len(actions.names)
    for shots in SHOTS:
        of_draws = []
        for train in draws(actions.labels, shots, 0):
            rest = np.setdiff1d(np.arange(len(actions)), train)
            prototypes = vectors[train].reshape(classes, shots, -1).mean(1)
            predictions = (prototypes @ vectors[rest].T).argmax(0)
            labels = range(classes)
            of_draws.append(f1_score(actions.labels[rest], predictions, labels=labels, average=None, zero_division=0))
        result[shots] = np.mean(of_draws, axis=0)
    return result


if __name__ == "__main__":
    main()
