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
import shutil
import tempfile
from pathlib import Path

SOURCES = ("camrest676", "woz", "sgd", "multiwoz", "banking77", "clinc150")


def write_sample(out: Path, seed: int = 0) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """Writes the sample, one raw folder a source, whole or not at all.

    Args:
        out: The new raw folder; it may exist only as an empty folder.
        seed: Another seed gives other dialogues.

    Returns:
        Source -> variant (config or language) -> original split -> counts: `dialogues`, `utterances`, `user`, `system`,
        `empty`, or `rows` and `labels` for intents.

    Raises:
        FileExistsError: There is something at `out` already.
    """
    out = Path(out)
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise FileExistsError(f"{out} is not empty; give a new folder for the sample")
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        counts = {}
        for source in SOURCES:
            writer = importlib.import_module(f"{__name__}.{source}")
            counts[source] = writer.write(aside / source, seed)
        aside.chmod(0o755)  # mkdtemp's folder is private
        aside.replace(out)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return counts
