"""Compare encoders that compose the vectors of turns with one that reads the turns as one text.

    python tests/benchmarks/bench_joint.py --data DATASET --work FOLDER [--stage train|validation|test] [--only cube]

Every method starts from the same encoder and sees the same number of pairs; its CPU seconds are recorded. Joined text
takes about three times as long, as it encodes every turn again and again. Composers learn at the rate that is best for
them on the frozen encoder, by validation pairs. The last method tells what batches of neighbouring pairs are worth: it has
random ones, and about as much time as the other cores, so fewer pairs.

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
from cube_model.core.configuration_turns import TurnsConfig
from cube_model.core.modeling_turns import TurnsModel
from cube_model.data.pairs import NO_TURN, QuestionAnswerPairs, joined_turns, load_pairs
from cube_model.embedder import pair_trainer
from cube_model.embedder.config import EmbedderConfig
from cube_model.embedder.trainer import train_embedder
from cube_model.evaluation.methods import Method, Scorer, composed_turns, identity
from cube_model.evaluation.response_selection import evaluate
from cube_model.inference.processor import core_function
from cube_model.metrics.metrics import normalize, quick_accuracy

SOURCES = ("sgd", "multiwoz", "woz")
RUNS: dict[str, dict[str, Any]] = {
    "cube": {"composer": "cube", "neighbours": 8},
    "joined": {"max_length": 96},
    "attention": {"composer": "attention", "neighbours": 8},
    "gru": {"composer": "gru", "neighbours": 8},
    "mean": {"composer": "mean", "neighbours": 8},
    "cube, random batches": {"composer": "cube"},
}
SHARES = {"cube, random batches": 0.35}
"""Share of the steps, where it is not 1."""
RATES = (1e-3, 2e-3, 5e-3, 1e-2)
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


def run_config(arguments: argparse.Namespace, name: str, **options: Any) -> EmbedderConfig:
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
    return EmbedderConfig(data=arguments.data, base=arguments.base, **{**shared, **RUNS[name], **options})


def folder(arguments: argparse.Namespace, name: str) -> Path:
    """Return the folder of a run."""
    return arguments.work / name.replace(", ", "-").replace(" ", "-")


def train(arguments: argparse.Namespace, name: str) -> None:
    """Train one method, unless it is there."""
    output = folder(arguments, name)
    if (output / "training.json").exists():
        return
    options: dict[str, Any] = {"max_steps": round(SHARES.get(name, 1) * arguments.steps)}
    if kind := RUNS[name].get("composer"):
        options["composer_learning_rate"] = best_rates(arguments).get(kind, RATES[0])
    StepTimes.seconds.clear()
    record = train_embedder(run_config(arguments, name, output=str(output), resume=True, **options))
    facts = {**options, "cpu_seconds": sum(StepTimes.seconds), "timed_steps": len(StepTimes.seconds)}
    output.with_name(output.name + ".steps.json").write_text(json.dumps(facts))
    sys.stdout.write(f"{name}: loss {record and record['loss_last']:.3f}, {facts}\n")


def best_rates(arguments: argparse.Namespace) -> dict[str, float]:
    """Choose the learning rate of each composer: trained on the frozen encoder, the best accuracy on validation pairs."""
    path = arguments.work / "rates.json"
    if path.exists():
        return dict(json.loads(path.read_text())["best"])
    teacher, cache = Teacher.load(arguments.base, "float32", "cpu"), EmbeddingCache(arguments.work / "cache")
    data, context = arguments.data, arguments.turns
    train_pairs, validation = (
        whole_dialogues(load_pairs(data, split, sources=list(SOURCES), context_turns=context), count)
        for split, count in (("train", arguments.steps * arguments.batch), ("validation", arguments.pairs))
    )
    vectors, held_out = (pairs.embed(teacher, cache) for pairs in (train_pairs, validation))
    accuracies: dict[str, dict[str, float]] = {}
    for kind in ("gru", "attention", "cube"):
        accuracies[kind] = {}
        for rate in RATES:
            composer = composed_alone(kind, train_pairs, vectors, rate, arguments)
            method = Method(kind, core_function(composer, composer.compose), lambda answers: answers, turns=1 + context)
            found = quick_accuracy(*method.map(validation, held_out), validation.labels)
            accuracies[kind][str(rate)] = found
    best = {kind: float(max(found, key=lambda rate: found[rate])) for kind, found in accuracies.items()}
    path.write_text(json.dumps({"best": best, "accuracies": accuracies}, indent=1))
    return best


def composed_alone(
    kind: str, pairs: QuestionAnswerPairs, vectors: np.ndarray, rate: float, arguments: argparse.Namespace
) -> TurnsModel:
    """Train a composer alone, on vectors, as long as in the joint training."""
    torch.manual_seed(0)
    tiny = {"model_type": "distilbert", "n_layers": 1, "n_heads": 1, "hidden_dim": 8, "vocab_size": 8}
    shape = {"embedding_dim": vectors.shape[1], "composer": kind, "context_turns": arguments.turns}
    model = TurnsModel(TurnsConfig(encoder=tiny | {"dim": 8}, **shape)).train()
    optimizer = torch.optim.AdamW(model.composer.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, arguments.steps)
    table, random = torch.from_numpy(vectors), np.random.default_rng(0)
    for _ in range(arguments.steps):
        rows = random.choice(len(pairs), arguments.batch, replace=False)
        scores = 20 * model.compose(table[pairs.questions[rows]]) @ table[pairs.answers[rows]].T
        same = torch.from_numpy(pairs.labels[rows, None] == pairs.labels[rows])
        scores = scores.masked_fill(same & ~torch.eye(len(rows), dtype=torch.bool), -torch.inf)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(scores, torch.arange(len(rows))).backward()
        optimizer.step()
        schedule.step()
    return model.eval()


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
    path = folder(arguments, name).with_suffix(f".{split}.json")
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
