"""The card of an assistant: what it answers, how sure it is, where its answers come from."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from cube_model.assistant.calibration import Calibration
from cube_model.assistant.topics import Topics
from dataset_builders.common.seals import sealed

if TYPE_CHECKING:
    import pyarrow as pa

_UNKNOWN = "und"
_TOPICS = 20


def assistant_card(
    manifest: dict[str, Any], table: pa.Table, calibration: Calibration, topics: Topics, repo: str = "FOLDER"
) -> str:
    """Return the text of the card, sealed: a calibration renews it unless somebody has edited it.

    Args:
        manifest: Manifest of the assistant.
        table: Its entries.
        calibration: Its calibration.
        topics: Its topics.
        repo: Folder or repository that the example opens.
    """
    from jinja2 import Environment, StrictUndefined

    template = files("cube_model.assistant").joinpath("card.md.jinja").read_text(encoding="utf-8")
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    rows = Counter(zip(table["source"].to_pylist(), table["license"].to_pylist(), strict=True))
    languages = sorted({tag for tag in table["language"].to_pylist() if tag and tag != _UNKNOWN})
    card = environment.from_string(template).render(
        manifest=manifest,
        count=len(table),
        repo=repo,
        rows=[(source, license, count) for (source, license), count in sorted(rows.items())],
        languages=languages,
        record=calibration.record,
        threshold=calibration.threshold,
        topics=[name.replace("\n", " ")[:80] for name in topics.names[:_TOPICS]],
        more=max(0, len(topics.names) - _TOPICS),
    )
    return sealed(card)
