"""Compare flows with the graphs of the annotated actions, for each domain of a source.

    python tests/benchmarks/bench_flow.py --data DATASET [--encoders minilm,mpnet] [--source sgd] [--split test]
        [--domains hotel,bus] [--min-dialogues 20] [--scales 0.65,0.7] [--json FILE]

A domain has the dialogues that are about it alone. Prints, for each encoder, the number of nodes of the flow that
`dialogue-cube flow` draws, that of the graph of the annotated actions after the same pruning, their relative difference,
and the same with Dialog2Flow's protocol, which gives the number of actions of each speaker. Dialog2Flow reports
6.9 % on average over six domains of SpokenWOZ, where it keeps only turns with a single act. The number of nodes alone says
little, so the adjusted Rand index of steps and actions is printed beside it.

`--scales` also prints the mean difference for other default distances than `SCALE` of `cube_model/flow/config.py`, which
must be chosen on the training or validation split.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

from rich.console import Console

from cube_model.data.turns import read_turns
from cube_model.flow.config import SCALE, FlowConfig
from cube_model.flow.dialogues import rows_of_domain, single_domains
from cube_model.flow.graph import Pruning
from cube_model.flow.run import encode_speakers
from cube_model.flow.tables import nodes_table
from cube_model.flow.trajectories import names_of_turns
from cube_model.flow.true_graph import actions_of_turns, compare, difference
from cube_model.teacher.teacher import Teacher
from cube_model.vectors.cache import EmbeddingCache

CONSOLE = Console(width=120)


def words(text):
    return [word for word in text.split(",") if word]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--encoders", type=words, default=["minilm"])
    parser.add_argument("--source", default="sgd")
    parser.add_argument("--split", default="test")
    parser.add_argument("--domains", type=words, default=[])
    parser.add_argument("--min-dialogues", type=int, default=20)
    parser.add_argument("--scales", type=words, default=[])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    turns = read_turns(options.data, options.split, sources=[options.source])
    counts = single_domains(turns)
    domains = options.domains or sorted(name for name, count in counts.items() if count >= options.min_dialogues)
    cache, results = EmbeddingCache(), {}
    for name in options.encoders:
        start = time.perf_counter()
        teacher = Teacher.load(name)
        results[teacher.name] = {d: one_domain(turns, d, teacher, cache, options.scales) for d in domains}
        CONSOLE.print(f"{teacher.name}, {options.source}, {options.split} split, {time.perf_counter() - start:.0f} s")
        CONSOLE.print(nodes_table(results[teacher.name]))
        for scale in options.scales:
            differences = [each["scales"][scale]["relative"] for each in results[teacher.name].values()]
            CONSOLE.print(f"distance {scale} of the mean: {statistics.fmean(differences):.1%} on average")
    if options.json:
        options.json.write_text(
            json.dumps({"data": turns.fingerprint, "scale": SCALE, "results": results}, indent=1) + "\n"
        )


def one_domain(turns, domain, teacher, cache, scales):
    defaults = FlowConfig("any")
    pruning = Pruning(defaults.min_share, defaults.min_probability)
    rows = rows_of_domain(turns, domain)
    speakers = encode_speakers(turns, rows, teacher, cache, progress=True)

    def named(cut):
        return names_of_turns(turns, speakers, {speaker: cut(speaker, each) for speaker, each in speakers.items()})

    result = compare(turns, speakers, named(lambda speaker, each: each.cut(speaker, None, None)), pruning)
    if result is None:
        raise SystemExit(f"{domain}: too few turns have acts or slots")
    actions = actions_of_turns(turns, rows.tolist())
    result["scales"] = {
        scale: difference(
            turns,
            named(lambda _, each, scale=scale: each.tree.cut(distance=float(scale) * each.tree.mean_distance)),
            actions,
            pruning,
        )
        for scale in scales
    }
    return result


if __name__ == "__main__":
    main()
