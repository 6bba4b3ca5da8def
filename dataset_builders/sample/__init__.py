"""An invented sample of raw files: all that is needed to run the whole product without a network.

Every source is written in its published layout and format; every word is made up from the phrases in `texts/`. The same
seed gives the same bytes.

>>> from dataset_builders.sample import write_sample
>>> counts = write_sample(Path("raw"))  # doctest: +SKIP
>>> counts["woz"]["de"]["train"]["dialogues"]  # doctest: +SKIP
100
"""

from __future__ import annotations

import importlib
from pathlib import Path

from dataset_builders.common.outputs import OutputKind, output_folder

SOURCES = ("camrest676", "woz", "sgd", "multiwoz", "banking77", "clinc150")

_SAMPLE = OutputKind("`dialogue-cube sample`", "DIR", lambda _: False, ("**",))
"""Never replaced: raw files carry no mark."""


def write_sample(out: Path, seed: int = 0) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """Writes the sample, one raw folder a source, whole or not at all.

    Args:
        out: The new raw folder; it may exist only as an empty folder.
        seed: Another seed gives other dialogues.

    Returns:
        Source -> variant (config or language) -> original split -> counts: `dialogues`, `utterances`, `user`, `system`,
        `empty`, or `rows` and `labels` for intents.

    Raises:
        DataError: There is something at `out` already.
    """
    counts = {}
    with output_folder(out, _SAMPLE, overwrite=False) as aside:
        for source in SOURCES:
            writer = importlib.import_module(f"{__name__}.{source}")
            counts[source] = writer.write(aside / source, seed)
    return counts
