"""Train the dialogue encoder: what each kind of positives gives on validation rows, and the final models on test rows.

    python tests/benchmarks/bench_encoder.py --data DATASET --work FOLDER [--base minilm] [--static 256]
        [--steps 400] [--stage ablation|final] [--only NAME ...] [--seeds 1] [--action-set FILE]

`ablation` trains `VARIANTS` and judges each by the benchmark on the validation split, at most 1,000 rows of each part.
`final` trains the recipe with some seeds, a transformer then `SECOND`, and judges it beside its base on the test split.
Sources of `LEFT_OUT` are not trained on: they show what an encoder does with what it has not seen. No text of the
action set is trained on. What is finished in `--work` is not computed again, and an interrupted training resumes. A
graphics card is used if there is one.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from cube_model.embedder.config import EmbedderConfig
from cube_model.embedder.trainer import train_embedder
from cube_model.evaluation.benchmark.config import BenchmarkConfig, Task
from cube_model.evaluation.benchmark.run import run_benchmark
from cube_model.evaluation.benchmark.tables import NOTES, benchmark_table
from cube_model.evaluation.intents.config import IntentsConfig
from cube_model.evaluation.intents.run import run_intents

LEFT_OUT = ("woz", "camrest676", "star", "smd", "banking77", "arbanking77", "clinc150", "massive", "hwu64")
"""WOZ and CamRest676 share rows, and so do MASSIVE and HWU64, Banking77 and ArBanking77."""

RECIPE: dict[str, Any] = {
    "max_pairs": 300_000,
    "same_intent": 60_000,
    "same_action": 100_000,
    "temperature": 2.0,
    "context_turns": 2,
    "vary_context": True,
}
TRANSFORMER: dict[str, Any] = {
    "batch_size": 128,
    "learning_rate": 3e-4,
    "train_embeddings": False,
    "max_length": 48,
}
SECOND: dict[str, Any] = {
    "max_pairs": None,
    "same_intent": 50_000,
    "same_action": 50_000,
    "negatives": "source",
}
"""What a second training of the encoder changes: it reads no `TALK`, and keeps the similarities of the base."""

TALK = ("self_dialogue", "chitchat", "qmsum", "irc_disentanglement")
"""Sources without a task: half of the pairs of a turn and the next."""

STATIC: dict[str, Any] = {"batch_size": 256, "learning_rate": 5e-3}

VARIANTS: dict[str, dict[str, Any]] = {
    "recipe": {},
    "next turns only": {"same_intent": 0, "same_action": 0},
    "without same intent": {"same_intent": 0},
    "without same action": {"same_action": 0},
    "with templates": {"templates": 60_000},
    "similar labels, .05": {"label_temperature": 0.05},
    "similar labels, .1": {"label_temperature": 0.1},
    "sources by size": {"temperature": 1.0},
    "negatives of one source": {"negatives": "source"},
    "negatives of one domain": {"negatives": "domain"},
    "context always": {"vary_context": False},
    "no context": {"context_turns": 0, "vary_context": False},
    "label smoothing .1": {"label_smoothing": 0.1},
    "first 64 and 128 dimensions": {"matryoshka": [64, 128]},
    "distilled from the base": {"distill": "minilm"},
    "with 30 % of the base's weights": {"base_share": 0.3},
    "with half of the base's weights": {"base_share": 0.5},
}

SHOWN: dict[str, Callable[[dict[str, Any]], bool]] = {
    "question": lambda e: (
        e["task"] == "responses" and e["setting"] == "question" and e["metric"] == "accuracy_1_of_100"
    ),
    "with context": lambda e: (
        e["task"] == "responses" and e["setting"] == "with context" and e["metric"] == "accuracy_1_of_100"
    ),
    "actions, 1 shot": lambda e: e["task"] == "actions" and e["setting"] == "1-shot" and e["metric"] == "macro_f1",
    "actions, 5 shots": lambda e: e["task"] == "actions" and e["setting"] == "5-shot" and e["metric"] == "macro_f1",
    "intents": lambda e: e["task"] == "intents" and e["metric"] == "accuracy",
}
"""Columns of the table of the ablation: means over sources, those of the training and the others apart."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--base", default="minilm")
    parser.add_argument("--static", type=int, default=0)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--second-steps", type=int, default=2000)
    parser.add_argument("--stage", choices=("ablation", "final"), default="ablation")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--max-rows", type=int)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--action-set", type=Path)
    parser.add_argument("--languages", nargs="+", default=["en"])
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.stage == "ablation":
        ablation(arguments)
    else:
        final(arguments)


def ablation(arguments: argparse.Namespace) -> None:
    """Print a row for each variant as it is finished."""
    data = validation_view(arguments.data, arguments.work / "validation")
    heads = [f"{name}, {group}" for name in SHOWN for group in ("seen", "unseen")]
    print_row("variant", heads)
    for name in arguments.only:
        folder = train(arguments, name, VARIANTS[name], seed=0)
        path = arguments.work / f"{name}.json"
        if not path.exists():
            path.write_text(json.dumps(judged_on_validation(arguments, data, folder), default=str))
        results = json.loads(path.read_text())
        print_row(name, [mean(results, chosen, group) for chosen in SHOWN.values() for group in (True, False)])


def final(arguments: argparse.Namespace) -> None:
    """Train the recipe, and print the benchmark of its seeds and of the base."""
    encoders = [(arguments.base, arguments.base)]
    for seed in range(arguments.seeds):
        folder = train(arguments, f"recipe-{seed}", {}, seed)
        if not arguments.static:
            second = {**SECOND, "base": str(folder), "distill": arguments.base, "leave_out": [*LEFT_OUT, *TALK]}
            second["max_steps"] = arguments.second_steps
            folder = train(arguments, f"recipe-{seed}-second", second, seed + 1)
        encoders.append((f"recipe-{seed}", str(folder)))
    outputs = []
    for name, encoder in encoders:
        path = arguments.work / f"{name}.test.json"
        if not path.exists():
            config = BenchmarkConfig(
                str(arguments.data),
                encoder=encoder,
                action_set=arguments.action_set and str(arguments.action_set),
                languages=arguments.languages,
                max_rows=arguments.max_rows,
                dtype="auto",
            )
            output = run_benchmark(config, path.with_suffix(".cells"), progress=True)
            path.write_text(json.dumps(output, default=str))
        outputs.append(json.loads(path.read_text()))
    console = Console(width=200)
    console.print(benchmark_table(outputs, str(arguments.data)))
    console.print("\n".join(NOTES))


def train(arguments: argparse.Namespace, name: str, changes: dict[str, Any], seed: int) -> Path:
    """Train a variant, or return the finished one."""
    folder: Path = arguments.work / name.replace(" ", "-").replace(",", "").replace(".", "")
    if folder.exists():
        return folder
    options: dict[str, Any] = {
        "base": arguments.base,
        "leave_out": list(LEFT_OUT),
        "max_steps": arguments.steps,
        **RECIPE,
        **(STATIC if arguments.static else TRANSFORMER),
        "static": arguments.static,
        "threads": arguments.threads,
        "decontaminate": [str(arguments.action_set)] if arguments.action_set else [],
        **changes,
    }
    config = EmbedderConfig(
        data=str(arguments.data),
        output=str(folder),
        languages=arguments.languages,
        seed=seed,
        checkpoint_every=50,
        resume=True,
        **options,
    )
    record = train_embedder(config)
    if record is not None:
        sys.stderr.write(f"{name}: {record['data']['kinds']}, {record['seconds']} s\n")
    return folder


def judged_on_validation(arguments: argparse.Namespace, data: Path, encoder: Path) -> list[dict[str, Any]]:
    """Return the results of the tasks that validation rows allow, each with `seen`."""
    tasks: list[Task] = ["responses", "actions"]
    common: dict[str, Any] = {"encoder": str(encoder), "languages": arguments.languages, "dtype": "auto"}
    output = run_benchmark(BenchmarkConfig(str(data), tasks=tasks, max_rows=1000, **common))
    results = [entry for entry in output["results"] if entry["source"] != "mean"]
    intents = run_intents(IntentsConfig(str(data), protocols=["prototype"], labels=("intent",), **common))
    results += [{**entry, "task": "intents", "setting": "prototype"} for entry in intents["results"]]
    return [{**entry, "seen": entry["source"] not in LEFT_OUT} for entry in results]


def mean(results: list[dict[str, Any]], chosen: Callable[[dict[str, Any]], bool], seen: bool) -> str:
    """Return the mean over sources in percent, or a dash if there is none."""
    by_source: dict[str, list[float]] = {}
    for entry in results:
        if entry["seen"] is seen and chosen(entry):
            by_source.setdefault(entry["source"], []).append(entry["value"])
    values = [sum(each) / len(each) for each in by_source.values()]
    return f"{100 * sum(values) / len(values):.1f}" if values else "-"


def validation_view(data: Path, view: Path) -> Path:
    """Make a dataset folder of links, the test rows of which are the validation rows of another."""
    card = "configs:\n"
    for config, folder in (("dialogues", "dialogues"), ("pairs-full", "pairs"), ("downstream", "downstream")):
        (view / folder).mkdir(parents=True, exist_ok=True)
        for path in sorted((data / folder).glob("*.parquet")):
            link = view / folder / path.name
            if not path.name.startswith("test") and not link.exists():
                link.symlink_to(path.resolve())
        card += f"- config_name: {config}\n  data_files:\n"
        for split, name in (("train", "train"), ("test", "validation")):
            card += f"  - split: {split}\n    path: {folder}/{name}-*.parquet\n"
    (view / "README.md").write_text(f"---\n{card}---\n")
    return view


def print_row(name: str, values: list[str]) -> None:
    sys.stdout.write("\t".join([name, *values]) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
