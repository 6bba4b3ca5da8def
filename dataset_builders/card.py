"""The dataset card of a built folder, filled from what was built."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from dataset_builders import schema
from dataset_builders.licenses import get_license

if TYPE_CHECKING:
    from dataset_builders.built import Built
    from dataset_builders.options import BuildOptions


def write_card(folder: Path, results: list[Built], options: BuildOptions, fingerprint: str) -> None:
    """Write `folder/README.md`: YAML that `load_dataset` reads (`configs:`) and a page for people."""
    import jinja2
    import yaml

    configs = []
    for config in schema.CONFIGS:
        splits = [s for s in schema.SPLITS if any((folder / config).glob(f"{s}-*.parquet"))]
        if splits:
            data_files = [{"split": s, "path": f"{config}/{s}-*.parquet"} for s in splits]
            # `load_dataset` of a local folder caches rows by what stands in `configs:`, not by the files' content:
            # without the fingerprint here, a folder built again would give the rows of the first build
            build = f"build {fingerprint}"
            configs.append({"config_name": config, "description": build, "data_files": data_files})
    metadata = {
        "pretty_name": "Dialogue corpus",
        "language": sorted({language for r in results for language in r.languages}),
        "license": sorted({get_license(r.info.license).hub_id for r in results}),
        "task_categories": ["sentence-similarity", "text-classification", "text-retrieval"],
        "tags": ["dialogue", "task-oriented-dialogue", "intent-classification", "response-selection"],
        "configs": configs,
    }
    template = files("dataset_builders").joinpath("card_template.md.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(template).render(
        metadata=yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True).strip(),
        results=results,
        options=options,
        fingerprint=fingerprint,
        configs=[c["config_name"] for c in configs],
        columns={name: list(schema.FEATURES[name]) for name in schema.CONFIGS},
    )
    (folder / "README.md").write_text(page, encoding="utf-8")
