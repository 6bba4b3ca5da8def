"""Compare encoders that compose the vectors of turns with one that reads the turns as one text.

    python tests/benchmarks/bench_joint.py --data DATASET --work FOLDER [--stage train|validation|test] [--only cube]

Every method starts from the same encoder; its CPU seconds are recorded. Composers are first trained alone, on vectors of
the encoder as it is, at the rate that is best for them by validation pairs; methods "alone" end there. Then encoder and
composer, or the encoder of joined text, are trained on the same number of pairs. Joined text takes longer, as it encodes
every turn again and again.

Then each is evaluated by response selection, 1-of-100, on whole English dialogues of each source. Whatever is finished in
`--work` is not computed again, and an interrupted training resumes. `--stage test` is for the end.
"""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import torch

from cube_model import EmbeddingCache, Teacher
from cube_model.core.modeling_turns import TurnsModel
from cube_model.data.pairs import NO_TURN, QuestionAnswerPairs, joined_turns, load_pairs
from cube_model.embedder import pair_trainer
from cube_model.embedder.config import EmbedderConfig
from cube_model.embedder.trainer import train_embedder
from cube_model.evaluation.methods import Scorer, composed_turns, identity
from cube_model.evaluation.response_selection import evaluate
from cube_model.metrics.metrics import normalize

SOURCES = ("sgd", "multiwoz", "woz")
RUNS: dict[str, dict[str, Any]] = {
    "cube": {"composer": "cube", "neighbours": 8},
    "joined": {"max_length": 96},
    "attention": {"composer": "attention", "neighbours": 8},
    "gru": {"composer": "gru", "neighbours": 8},
    "mean": {"composer": "mean", "neighbours": 8},
    **{f"{kind} alone": {"composer": kind} for kind in ("cube", "attention", "gru")},
    "cube, not alone first": {"composer": "cube", "neighbours": 8, "composer_steps": 0},
}
RATES = (3e-3, 6e-3)
"""Learning rates of a composer."""

AT_ONCE = 32
"""Chats whose new turns are encoded together."""


class StepTimes(pair_trainer.PairTrainer):
    """Notes the CPU seconds of its steps."""

    seconds: list[float] = []  # noqa: RUF012  (of the last training)

    def training_step(self, *args: Any, **options: Any) -> Any:
        """Run one step."""
        start = time.process_time()
        loss = super().training_step(*args, **options)
        StepTimes.seconds.append(time.process_time() - start)
        return loss


def mixed_data(arguments: argparse.Namespace) -> Path:
    """Write a dataset with as many training pairs of each source, in whole English dialogues."""
    data, place = Path(arguments.data), arguments.work / "data"
    if place.exists():
        return place
    (place / "pairs").mkdir(parents=True)
    table = ds.dataset(sorted((data / "pairs").glob("train-*.parquet"))).to_table(
        filter=ds.field("source").isin(SOURCES) & (ds.field("language") == "en")
    )
    random = np.random.default_rng(0)
    sources, dialogues = (np.asarray(table[name].to_pylist()) for name in ("source", "dialogue_id"))
    asks = np.asarray(table["anchor_speaker"].to_pylist()) == "user"
    chosen = set[str]()
    for source in SOURCES:
        names, counts = np.unique(dialogues[(sources == source) & asks], return_counts=True)
        order = random.permutation(len(names))
        chosen |= set(
            names[order[: int(np.searchsorted(np.cumsum(counts[order]), arguments.train_pairs)) + 1]].tolist()
        )
    table = table.filter(np.isin(dialogues, sorted(chosen)))
    pq.write_table(table, place / "pairs" / "train-00000-of-00001.parquet")
    for path in [*(data / "pairs").glob("validation-*.parquet"), *(data / "pairs").glob("test-*.parquet")]:
        (place / "pairs" / path.name).symlink_to(path.resolve())
    (place / "README.md").symlink_to((data / "README.md").resolve())
    return place


def run_config(arguments: argparse.Namespace, **options: Any) -> EmbedderConfig:
    """Make the configuration of a run."""
    shared = {"context_turns": arguments.turns, "batch_size": arguments.batch, "sources": list(SOURCES)}
    shared |= {"train_embeddings": False, "frozen_layers": arguments.frozen, "learning_rate": arguments.rate}
    shared |= {
        "languages": ["en"],
        "threads": 1,
        "device": "cpu",
        "progress": False,
        "warmup": 0.1,
        "checkpoint_every": 10,
    }
    return EmbedderConfig(data=arguments.data, base=arguments.base, **{**shared, **options})


def folder(arguments: argparse.Namespace, name: str) -> Path:
    """Return the folder of a run."""
    return arguments.work / name.replace(", ", "-").replace(" ", "-")


def train(arguments: argparse.Namespace, name: str, **options: Any) -> None:
    """Train one method, unless it is there."""
    output = folder(arguments, name)
    if (output / "training.json").exists():
        return
    if name.endswith(" alone"):
        kind = RUNS[name]["composer"]
        output.symlink_to(folder(arguments, alone(kind, best_rates(arguments, kind))).resolve())
        return
    options = {"max_steps": arguments.steps, **RUNS.get(name, {}), **options}
    kind = options.get("composer", "none")
    if kind not in ("none", "mean"):
        options.setdefault("composer_steps", arguments.composer_steps)
        if "composer_learning_rate" not in options:
            options["composer_learning_rate"] = best_rates(arguments, kind)
    StepTimes.seconds.clear()
    start = time.process_time()
    record = train_embedder(run_config(arguments, output=str(output), resume=True, **options))
    facts = {"cpu_seconds": sum(StepTimes.seconds), "timed_steps": len(StepTimes.seconds)}
    facts |= {**options, "cpu_seconds_in_all": time.process_time() - start}
    output.with_name(output.name + ".steps.json").write_text(json.dumps(facts))
    sys.stdout.write(f"{name}: loss {record and record['loss_last']:.3f}, {facts}\n")


def best_rates(arguments: argparse.Namespace, kind: str) -> float:
    """Choose the learning rate of a composer: trained alone, the best mean accuracy on validation pairs."""
    accuracies = {}
    for rate in RATES:
        name = alone(kind, rate)
        train(arguments, name, composer=kind, composer_learning_rate=rate, max_steps=0)
        scores = score(arguments, name, "validation")
        accuracies[rate] = sum(scores[source][composed(scores[source])][0] for source in SOURCES)
    return max(accuracies, key=lambda rate: accuracies[rate])


def alone(kind: str, rate: float) -> str:
    """Name the run of a composer that is trained alone at a rate."""
    return f"{kind} alone at {rate:g}"


def composed(scores: dict[str, Any]) -> str:
    """Return the method that composes turns, among those of `score`."""
    return next(name for name in scores["samples"] if not name.startswith("identity"))


def whole_dialogues(pairs: QuestionAnswerPairs, count: int, seed: int = 0) -> QuestionAnswerPairs:
    """Choose English dialogues at random until they have `count` pairs, and keep only their texts."""
    pairs = pairs.select(np.flatnonzero(np.asarray(pairs.languages) == "en"))
    dialogues = np.random.default_rng(seed).permutation(np.unique(pairs.dialogues))
    sizes = np.bincount(np.searchsorted(np.sort(dialogues), pairs.dialogues))
    enough = int(np.searchsorted(np.cumsum(sizes[np.searchsorted(np.sort(dialogues), dialogues)]), count)) + 1
    part = pairs.select(np.flatnonzero(np.isin(pairs.dialogues, dialogues[:enough])))
    used = np.unique(np.append(part.questions, part.answers))
    used = used[used != NO_TURN]
    place = np.full(len(pairs.texts) + 1, NO_TURN, dtype=np.int32)
    place[used] = np.arange(len(used))
    return dataclasses.replace(
        part, texts=[pairs.texts[i] for i in used], questions=place[part.questions], answers=place[part.answers]
    )


class JoinedText:
    """The encoder reads the turns as one text; its vectors are computed once."""

    def __init__(self, teacher: Teacher, cache: EmbeddingCache, turns: int) -> None:
        self.teacher, self.cache, self.turns = teacher, cache, turns
        self.name, self.parameters, self.train_size, self.reads_vectors = f"joined, {turns} turns", 0, None, True

    def map(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Scorer.map`."""
        part = dataclasses.replace(pairs, questions=pairs.questions[:, : self.turns])
        texts = joined_turns(part, self.teacher.turn_separator)
        return normalize(self.cache.embed(self.teacher, texts)), normalize(vectors[pairs.answers])

    def query(self, pairs: QuestionAnswerPairs, vectors: np.ndarray) -> Callable[[], object]:
        """Not timed here."""
        raise NotImplementedError


def score(arguments: argparse.Namespace, name: str, split: str) -> dict[str, Any]:
    """Evaluate one method on a split, unless it was."""
    output = folder(arguments, name)
    path = output.with_name(f"{output.name}.{split}.json")
    if path.exists():
        return dict(json.loads(path.read_text()))
    teacher = Teacher.load(arguments.base if name == "frozen" else folder(arguments, name), "float32", "cpu")
    cache = EmbeddingCache(arguments.work / "cache")
    turns = 1 + arguments.turns
    methods: list[Scorer] = [identity()]
    if teacher.composed is not None:
        methods.append(composed_turns(teacher.composed))
    else:
        methods += [identity(turns), JoinedText(teacher, cache, turns)]
    results: dict[str, Any] = {}
    for source in SOURCES:
        pairs = load_pairs(arguments.data, split, sources=[source], context_turns=arguments.turns)
        pairs = whole_dialogues(pairs, arguments.pairs // (2 if split == "validation" else 1))
        vectors = pairs.embed(teacher, cache)
        report = evaluate(methods, pairs, vectors, negatives=("random",))
        results[source] = {
            "pairs": report.pairs,
            "dialogues": report.dialogues,
            **{label(result.method): result.metrics["accuracy_1_of_100"] for result in report.results},
            "mrr": {label(result.method): result.metrics["mrr"] for result in report.results},
            "samples": {label(each.method): each.samples["accuracy_1_of_100"].tolist() for each in report.results},
        }
    path.write_text(json.dumps(results, indent=1))
    return results


def label(method: Scorer) -> str:
    """Name a row by its method and number of turns."""
    return method.name if isinstance(method, JoinedText) else f"{method.name}, {method.turns} turns"


def table(arguments: argparse.Namespace, names: list[str], split: str) -> str:
    """Return the accuracies of all methods, and the differences of those of several turns to joined text, as Markdown."""
    scores = {name: score(arguments, name, split) for name in names}
    joined = f"joined, {1 + arguments.turns} turns"
    rows = ["| training | method | " + " | ".join(f"{source} | minus joined text" for source in SOURCES) + " |"]
    rows.append("|---|---" + "|---:" * (2 * len(SOURCES)) + "|")
    for name, by_source in scores.items():
        for method in by_source[SOURCES[0]]["samples"]:
            cells = []
            for source in SOURCES:
                cells.append("{:.3f} ({:.3f} to {:.3f})".format(*by_source[source][method]))
                if "joined" not in scores:
                    cells.append("")
                    continue
                against = scores["joined"][source]
                samples = np.subtract(by_source[source]["samples"][method], against["samples"][joined])
                low, high = np.percentile(samples, (2.5, 97.5))
                cells.append(f"{by_source[source][method][0] - against[joined][0]:+.3f} ({low:+.3f} to {high:+.3f})")
            rows.append(f"| {name} | {method} | {' | '.join(cells)} |")
    return "\n".join(rows)


def cost(arguments: argparse.Namespace, name: str = "cube") -> dict[str, float]:
    """Measure the CPU milliseconds of one turn of a chat, one thread: one question at a time, and of `AT_ONCE` chats."""
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    model: Any = SentenceTransformer(str(folder(arguments, name)), trust_remote_code=True, device="cpu")
    joined: Any = SentenceTransformer(str(folder(arguments, "joined")), device="cpu")
    separator = model[0].model.config.turn_separator
    pairs = load_pairs(
        arguments.data, "validation", sources=list(SOURCES), context_turns=arguments.turns, max_pairs=2000
    )
    full = [row for row in pairs.questions.tolist() if NO_TURN not in row][:100]
    chat = model[0].conversation()
    for _ in range(1 + arguments.turns):
        chat.add("Hello.")

    def user_turn(row: list[int]) -> None:
        chat.add(pairs.texts[row[0]])
        chat.vector()

    def both_turns(row: list[int]) -> None:
        chat.add(pairs.texts[row[1]], pairs.texts[row[0]])
        chat.vector()

    ways: dict[str, Callable[[list[int]], object]] = {
        "joined text": lambda row: joined.encode(separator.join(pairs.texts[i] for i in row)),
        "composed, new user turn encoded": user_turn,
        "composed, system turn encoded too": both_turns,
        "compose alone": lambda row: chat.vector(),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for row in full:
        for way, call in ways.items():
            start = time.process_time()
            call(row)
            times[way].append(1000 * (time.process_time() - start))
    times |= together(model[0].model, joined, [[pairs.texts[i] for i in row] for row in full[: 3 * AT_ONCE]], separator)
    tokens = [[len(joined.tokenizer(pairs.texts[i])["input_ids"]) for i in row] for row in full]
    counts = {
        "tokens of a user turn": np.mean([t[0] for t in tokens]),
        "tokens of all": np.mean([sum(t) for t in tokens]),
    }
    return {way: median(values) for way, values in times.items()} | {key: float(value) for key, value in counts.items()}


@torch.inference_mode()
def together(turns: TurnsModel, joined: Any, chats: list[list[str]], separator: str) -> dict[str, list[float]]:
    """Measure the CPU milliseconds of one turn of each of `AT_ONCE` chats, as a server computes them."""
    cached = torch.randn(AT_ONCE, turns.config.context_turns, turns.config.embedding_dim)

    def composed(batch: list[list[str]]) -> None:
        tokens = joined.tokenizer([chat[0] for chat in batch], padding=True, truncation=True, return_tensors="pt")
        vectors = turns.encode_texts(tokens["input_ids"], tokens["attention_mask"])
        turns.compose(torch.cat([vectors[:, None].float(), cached[: len(batch)]], dim=1))

    ways: dict[str, Callable[[list[list[str]]], object]] = {
        f"joined text, {AT_ONCE} chats": lambda batch: joined.encode(
            [separator.join(chat) for chat in batch], batch_size=AT_ONCE
        ),
        f"composed, new user turn encoded, {AT_ONCE} chats": composed,
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for start in range(0, len(chats), AT_ONCE):
        batch = chats[start : start + AT_ONCE]
        for way, call in ways.items():
            before = time.process_time()
            call(batch)
            times[way].append(1000 * (time.process_time() - before) / len(batch))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--base", default="minilm")
    parser.add_argument("--stage", choices=("train", "validation", "test"), default="validation")
    parser.add_argument("--only", nargs="*", choices=list(RUNS))
    parser.add_argument("--train-pairs", type=int, default=2000, help="training pairs of each source")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--composer-steps", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--frozen", type=int, default=4)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--pairs", type=int, default=500, help="pairs of each source to evaluate on, whole dialogues")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pair_trainer.PairTrainer = StepTimes  # type: ignore[misc]
    arguments.work.mkdir(parents=True, exist_ok=True)
    arguments.data = str(mixed_data(arguments))
    names = arguments.only or list(RUNS)
    for name in names:
        train(arguments, name)
        if arguments.stage != "train":
            score(arguments, name, "validation")
    if arguments.stage != "train":
        sys.stdout.write(f"validation\n{table(arguments, names, 'validation')}\n")
    if arguments.stage == "test":
        sys.stdout.write(f"test\n{table(arguments, ['frozen', *names], 'test')}\n")
        sys.stdout.write(f"cost of a turn, CPU ms: {json.dumps(cost(arguments))}\n")


if __name__ == "__main__":
    main()
