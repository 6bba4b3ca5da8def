"""An invented sample of raw files, with which the whole product runs without a network.

Each source has its published layout and format; all texts are made up from the phrases in `texts/`. Equal seeds give
equal bytes.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from dataset_builders.common.outputs import OutputKind, output_folder
from dataset_builders.sources.raw_files import SAMPLE_NOTE

SOURCES = ("camrest676", "woz", "sgd", "multiwoz", "banking77", "clinc150")

_NOTE = """\
Invented dialogues and utterances in the formats of published corpora, written by `dialogue-cube sample`.
Their counts are not those of the official releases; while this file is here, a build does not warn of that.
"""

_SAMPLE = OutputKind("`dialogue-cube sample`", "DIR", lambda _: False, ("**",))
"""A sample is never replaced, because its files cannot be told from original raw files."""


def write_sample(out: Path, seed: int = 0) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """Write the sample atomically, with one raw folder per source.

    Args:
        out: Raw folder to create; it may exist if it is empty.
        seed: Random seed of the dialogues and utterances.

    Returns:
        Counts by source, variant (config or language) and original split: `dialogues`, `utterances`, `user`, `system`
        and `empty`, or `rows` and `labels` for intents.

    Raises:
        DataError: `out` is not empty.

    Example:
        >>> counts = write_sample(Path("sample"))  # doctest: +SKIP
        >>> counts["woz"]["de"]["train"]["dialogues"]  # doctest: +SKIP
        100
    """
    counts = {}
    with output_folder(out, _SAMPLE, overwrite=False) as aside:
        for source in SOURCES:
            writer = importlib.import_module(f"{__name__}.{source}")
            counts[source] = writer.write(aside / source, seed)
        (aside / SAMPLE_NOTE).write_text(_NOTE, encoding="utf-8")
    return counts
