"""The commands `train-intents`, `predict-intents` and `suggest-intents`; heavy modules are imported when they run."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cube_model._command import check_locations
from cube_model.errors import ModelError
from cube_model.intents.config import PredictIntentsConfig, SuggestIntentsConfig, TrainIntentsConfig
from dataset_builders.common.command_options import takes_options
from dataset_builders.common.file_kinds import json_kind
from dataset_builders.common.outputs import Output, optional_file
from dataset_builders.common.terminal import visible

_KEYS = ("text", "label", "probability", "is_out_of_scope", "alternatives")
_PREDICTIONS = json_kind("intents as JSON lines", *_KEYS, error=ModelError)

_NAMED = 10
"""Largest number of labels that a line names."""


@takes_options()
def train_intents(
    config: TrainIntentsConfig,
    out: Annotated[Path, typer.Option(help="Folder for the trained intents.")],
    overwrite: Annotated[bool, typer.Option(help="Replace intents that are there.")] = False,
) -> None:
    """Train the intents of utterances on a frozen encoder, from a few labelled examples of each or thousands.

    Settings, calibration and the threshold of what is out of scope are chosen by cross-validation, whose figures are
    shown. A row may have a list of labels. Names such as billing/refund or billing.refund are hierarchical.
    """
    check_locations(config.data)
    from cube_model.intents.head_files import INTENTS

    Output(out, INTENTS, overwrite=overwrite).check()
    from rich.console import Console

    from cube_model.intents.tables import confusions_table, validation_table
    from cube_model.intents.training import train_intents as train
    from cube_model.intents.validation import FEW

    head, rows = train(config, progress=True)
    head.save(out, overwrite=overwrite)
    console = Console()
    console.print(validation_table(head))
    if head.validation.confusions:
        console.print(confusions_table(head))
    notes = [f"{count:,} left out: {reason}" for reason, count in rows.left_out.items() if count]
    if few := head.validation.few:
        more = f" and {len(few) - _NAMED} more" if len(few) > _NAMED else ""
        notes.append(f"labels with fewer than {FEW} examples: {', '.join(few[:_NAMED])}{more}")
    notes.append(f"{out}: predict with `dialogue-cube predict-intents --intents {out} TEXT`")
    for note in notes:
        console.print(visible(note), style="dim", highlight=False, markup=False)


@takes_options()
def predict_intents(
    config: PredictIntentsConfig,
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="Utterances.")] = None,
    file: Annotated[
        Path | None, typer.Option("--texts", help="File of utterances, such as a text file with one a line.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="File for the intents as JSON lines. Default: a table on the terminal.")
    ] = None,
) -> None:
    """Tell the intents of utterances, with calibrated probabilities, or that they are out of scope."""
    if bool(texts) == (file is not None):
        raise ModelError("no utterances: pass them as arguments, or a file of them with --texts, not both")
    from cube_model.intents.head import IntentHead
    from cube_model.intents.tables import intents_table
    from cube_model.intents.training import predict_texts
    from cube_model.intents.utterances import texts_of
    from cube_model.teacher.recorded import load_recorded

    head = IntentHead.load(config.intents)
    utterances = texts_of(file) if file is not None else list(texts or ())
    if not head.encoder:
        raise ModelError(f"{config.intents}: does not record its encoder; train it with `dialogue-cube train-intents`")
    with optional_file(output, _PREDICTIONS) as target:
        teacher = load_recorded(head.encoder, config.encoder, what="the head", kind="encoder")
        intents = predict_texts(head, teacher, utterances, config.level)
        if target is not None:
            lines = (
                json.dumps({"text": text, **asdict(intent)}, ensure_ascii=False)
                for text, intent in zip(utterances, intents, strict=True)
            )
            target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            return
    from rich.console import Console

    Console().print(intents_table(utterances, intents))


@takes_options()
def suggest_intents(
    config: SuggestIntentsConfig,
    out: Annotated[Path, typer.Option(help="File for the suggestions, a CSV table.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace earlier suggestions, with the names that were changed in them.")
    ] = False,
) -> None:
    """Suggest intents: clusters of unlabelled utterances with proposed names, as a start for labelling.

    Rename the intents in the table, give clusters that belong together the same name, empty those that are none, and
    train with `dialogue-cube train-intents --own FILE`.
    """
    check_locations(config.data)
    from importlib.util import find_spec

    if find_spec("scipy") is None:
        raise ModelError("suggestions need scipy: pip install 'dialogue-cube[evaluation]'")
    from rich.console import Console

    from cube_model.intents.suggestion_file import SUGGESTIONS, write_suggestions
    from cube_model.intents.suggestions import suggest
    from cube_model.intents.tables import suggestions_table
    from cube_model.intents.utterances import read_unlabelled
    from cube_model.teacher.teacher import Teacher
    from cube_model.vectors.cache import EmbeddingCache

    with Output(out, SUGGESTIONS, overwrite=overwrite).claimed() as output:
        rows = read_unlabelled(config)
        cache = EmbeddingCache(vectors=config.vectors)
        vectors = cache.embed(Teacher.load(config.encoder), rows.texts, progress=True)
        suggestions = suggest(
            rows.texts,
            vectors,
            threshold=config.threshold,
            count=config.clusters,
            min_size=config.min_size,
            seed=config.seed,
        )
        write_suggestions(suggestions, rows.texts, output.new)
        output.put()
    console = Console()
    console.print(suggestions_table(suggestions, rows.texts))
    for reason, count in rows.left_out.items():
        if count:
            console.print(f"{count:,} left out: {visible(reason)}", style="dim", highlight=False, markup=False)
    advice = f"{out}: rename the intents there, then `dialogue-cube train-intents --own {out} --out INTENTS`"
    console.print(visible(advice), style="dim", highlight=False, markup=False)
