"""Card and report of a dataset after the licence gate: they tell what is published, not what was built."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from dataset_builders.licenses import get_license
from dataset_builders.raw_files import sha256
from push_scripts.errors import PushError
from push_scripts.license_gate import GateReport

_FRONT_MATTER = re.compile(r"\A---\n(?P<yaml>.*?)\n---\n", re.DOTALL)


def adapt_card(card: str, repo_id: str, gate: GateReport, paths: Collection[str]) -> str:
    """The card as it is published.

    Args:
        card: Text of the built card.
        repo_id: Put in place of the `ORG/NAME` of the built card.
        gate: What the licence gate did. When it held rows back, the card names them, its licences become
            those of the rows that are left, and sizes that no longer hold are taken out.
        paths: Parquet files that are published; a split or config without any is taken out of `configs:`, for
            `load_dataset` fails on it.

    Raises:
        PushError: The card has no `configs:`.
    """
    front = _FRONT_MATTER.match(card)
    try:
        metadata = yaml.safe_load(front["yaml"]) if front else None
    except yaml.YAMLError as error:
        raise PushError(f"README.md: its YAML header cannot be read ({error}); build the dataset again") from error
    if not (isinstance(metadata, dict) and isinstance(metadata.get("configs"), list) and front):
        raise PushError("README.md: no YAML header with `configs:`; build the dataset again with `dialogue-cube build`")
    body = card[front.end() :].replace("ORG/NAME", repo_id)
    metadata["configs"] = _with_files(metadata["configs"], paths)
    if gate.held:
        metadata["license"] = sorted({get_license(name).hub_id for name in gate.licenses})
        metadata.pop("dataset_info", None)
        body = f"{body.rstrip()}\n\n{_held_back(gate)}"
    return f"---\n{yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)}---\n{body}"


def _with_files(configs: list[dict[str, Any]], paths: Collection[str]) -> list[dict[str, Any]]:
    kept = []
    for config in configs:
        splits = [s for s in config.get("data_files", []) if any(fnmatch(path, s["path"]) for path in paths)]
        if splits:
            kept.append(config | {"data_files": splits})
    return kept


def _held_back(gate: GateReport) -> str:
    configs = sorted({config for config, _ in gate.held})
    lines = [
        "## Rows held back",
        "",
        f"{sum(gate.held.values()):,} rows of the built dataset are not here, because their licence does not "
        "allow to pass them on or is unknown. Sizes further up count them. To have them, build the dataset "
        "from the raw files.",
        "",
        f"| source | {' | '.join(configs)} |",
        f"|---|{'---:|' * len(configs)}",
    ]
    for source, rows in gate.held_by_source().items():
        lines.append(f"| {source} | {' | '.join(f'{rows.get(config, 0):,}' for config in configs)} |")
    return "\n".join(lines) + "\n"


def adapt_report(report: Mapping[str, Any], gate: GateReport, files: Mapping[str, Path]) -> str:
    """`quality/report.json` as it is published: with rows held back, digests and fingerprint of the rest."""
    adapted = dict(report)
    if gate.held:
        digests = {name: sha256(path) for name, path in sorted(files.items())}
        adapted["files"] = digests
        adapted["fingerprint"] = hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:16]
        adapted["held_back"] = gate.held_by_source()
    return json.dumps(adapted, indent=1, ensure_ascii=False) + "\n"
