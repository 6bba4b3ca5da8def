"""The command `dialogue-cube map`; imports heavy modules only when it runs."""

from __future__ import annotations

from importlib.util import find_spec

import typer

from dataset_builders.common.command_options import takes_options
from dataset_builders.common.errors import DataError
from dataset_builders.dashboard.map.config import MapConfig


@takes_options()
def map_texts(config: MapConfig) -> None:
    """Lay out utterances or dialogues on a plane, for the tab Map of the dashboard.

    The points, the clusters and the words that tell a cluster apart become tables of the database: map_points,
    map_clusters and maps. A second run replaces the map of the same kind; an update of the database keeps it.
    """
    missing = [name for name in ("openTSNE", "sklearn", "scipy") if find_spec(name) is None]
    if missing:
        raise DataError(f"a map needs {', '.join(missing)}; run: pip install 'dialogue-cube[dashboard]'")
    from dataset_builders.common.progress import step_bar
    from dataset_builders.dashboard.map.build import build_map
    from dataset_builders.database import build_database

    if config.data is not None:
        with step_bar() as progress:
            build_database(config.data, config.database, progress=progress)
    with step_bar() as progress:
        made = build_map(config, progress)
    sample = f" of {made['rows']:,}" if made["points"] < made["rows"] else ""
    without = f" ({made['without_vector']:,} have no vector)" if made["without_vector"] else ""
    typer.echo(
        f"{config.database}: a map of {made['points']:,}{sample} {config.kind}{without} by {made['encoder']}, "
        f"{made['clusters']} clusters; see it: dialogue-cube dashboard --database {config.database}"
    )
