"""The dataset card: written from the rows of a folder and from its report, by `build` and again by a push.

Numbers of rows, their licences, languages and flags are counted in the parquet files (`facts`); what only the
build could know (leaks before, what was dropped, options, digests) comes from `quality/report.json`; names, citations
and known faults from the sources' own facts.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from dataset_builders import schema
from dataset_builders.card.facts import Facts, count_rows
from dataset_builders.folder.layout import REPORT
from dataset_builders.licenses import LICENSES, get_license
from dataset_builders.pairs.consecutive import DIRECTIONS
from dataset_builders.sources.registry import builders

LEAKS = {
    "dialogue": "dialogues with a near duplicate in the other split",
    "pair": "pairs whose two texts stand in the other split",
    "text": "labelled utterances that stand in the other split",
    "benchmark": "pretraining pairs with a test utterance of an intent set",
}
"""What the report's leaks count."""

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""Rows below which the Hub's size category holds."""


def write_card(folder: Path) -> None:
    """Write `folder/README.md`; rows and report are there already."""
    report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    (folder / "README.md").write_text(dataset_card(folder, report), encoding="utf-8")


def dataset_card(
    folder: Path,
    report: Mapping[str, Any],
    *,
    repo_id: str = "ORG/NAME",
    held: Mapping[str, Mapping[str, int]] | None = None,
) -> str:
    """The text of README.md: YAML that the Hub and `load_dataset` read (`configs:`), and a page for people.

    Args:
        folder: Holds the rows that the card is about.
        report: Content of `quality/report.json`.
        repo_id: `org/name` that the examples load.
        held: Source -> config -> rows of the build that are not in the folder.
    """
    import jinja2
    import yaml

    facts, held = count_rows(folder), held or {}
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["n"] = lambda number: f"{number:,}" if number else ""
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    template = files("dataset_builders.card").joinpath("card_template.md.jinja").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        metadata=yaml.safe_dump(_metadata(facts, report), sort_keys=False, allow_unicode=True).strip(),
        repo_id=repo_id,
        facts=facts,
        configs=list(facts.configs),
        splits=schema.SPLITS,
        sources=[_source(name, facts, report) for name in facts.sources],
        licenses=[get_license(name) for name in _licenses(facts)],
        columns=schema.COLUMNS,
        features={
            config: {name: _type(f) for name, f in columns.items()} for config, columns in schema.FEATURES.items()
        },
        leaks=_leaks(facts, report),
        duplicates=_duplicates(facts, report),
        dropped=_dropped(facts, report),
        version=report.get("version", "unknown"),
        fingerprint=report.get("fingerprint", "unknown"),
        options=report.get("options") or {},
        command=_command(report),
        held=held,
        held_rows=sum(sum(rows.values()) for rows in held.values()),
        held_configs=[c for c in schema.CONFIGS if any(c in rows for rows in held.values())],
        held_licenses={name: _recorded(name, report).get("license", "unknown") for name in held},
    )


def _metadata(facts: Facts, report: Mapping[str, Any]) -> dict[str, Any]:
    rows = max((facts.count(config) for config in facts.configs), default=0)
    return {
        "pretty_name": "Dialogue corpus",
        # the Hub knows languages, not their regions; the rows keep the whole tag
        "language": sorted({tag.split("-")[0] for tag in facts.languages if tag and tag != "und"}),
        "license": sorted({get_license(name).hub_id for name in _licenses(facts)}),
        "task_categories": ["sentence-similarity", "text-classification", "text-retrieval"],
        "size_categories": [next((name for limit, name in _SIZES if rows < limit), "1M<n<10M")],
        "tags": ["dialogue", "task-oriented-dialogue", "intent-classification", "response-selection", "parquet"],
        "configs": [
            {
                "config_name": config,
                # `load_dataset` of a local folder caches rows by what stands in `configs:`, not by the files' content:
                # without the fingerprint here, a folder built again would give the rows of the first build
                "description": f"build {report.get('fingerprint')}",
                "data_files": [{"split": split, "path": f"{config}/{split}-*.parquet"} for split in splits],
            }
            for config, splits in facts.configs.items()
        ],
    }


def _licenses(facts: Facts) -> list[str]:
    """Licences of the rows in the order of `LICENSES`; what is not listed there comes last."""
    known = list(LICENSES)
    found = {name for names in facts.licenses.values() for name in names}
    return sorted(found, key=lambda name: (known.index(name) if name in known else len(known), str(name)))


def _recorded(name: str, report: Mapping[str, Any]) -> dict[str, Any]:
    return dict((report.get("sources") or {}).get(name) or {})


def _source(name: str, facts: Facts, report: Mapping[str, Any]) -> dict[str, Any]:
    """One line of the table of sources, and what else is known of it."""
    builder, recorded = builders().get(name), _recorded(name, report)
    info = builder.INFO if builder else None
    citation = info.citation if info else ""
    return {
        "name": name,
        "title": info.title if info else f"Own data: {name}",
        "homepage": info.homepage if info else "",
        "config": recorded.get("config", ""),
        "licenses": ", ".join(sorted(map(str, facts.licenses[name]))),
        "evidence": info.license_evidence if info else "as stated by the owner of the data",
        "disputed": info.license_disputed if info else "",
        "redistributable": all(get_license(license).redistributable for license in facts.licenses[name]),
        "counts": {config: facts.count(config, source=name) for config in schema.CONFIGS},
        "utterances": sum(n for (_, source), n in facts.utterances.items() if source == name),
        "citation": citation,
        "cite": re.findall(r"@\w+\{\s*([^,\s]+)", citation),
        "notes": info.notes if info else "",
        "differs": recorded.get("differs_from_official") or [],
        "rejected": recorded.get("rejected") or 0,
        "input_hash": recorded.get("input_hash", ""),
    }


def _leaks(facts: Facts, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One line a kind of leak and pair of splits: before and after, over the sources that are here."""
    leaks, found = report.get("leaks") or {}, []
    for kind, meaning in LEAKS.items():
        sides = [
            [by_source for name, by_source in (leaks.get(when, {}).get(kind) or {}).items() if name in facts.sources]
            for when in ("before", "after")
        ]
        for splits in dict.fromkeys(pair for side in sides for counts in side for pair in counts):
            before, after = (sum(counts.get(splits, 0) for counts in side) for side in sides)
            found.append({"meaning": meaning, "splits": splits.replace("-", " / "), "before": before, "after": after})
    return found


def _duplicates(facts: Facts, report: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """(source, other, dialogues of the source that have a near duplicate in the other), most first."""
    counts = (report.get("duplicates") or {}).get("dialogues") or {}
    found = [(*pair.split("|"), n) for pair, n in counts.items()]
    here = [(a, b, n) for a, b, n in found if n and a in facts.sources and b in facts.sources]
    return sorted(here, key=lambda entry: (-entry[2], entry[:2]))


def _dropped(facts: Facts, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = report.get("rows") or {}
    return [
        {"source": name, "config": config, **tally}
        for config in schema.CONFIGS
        for name, tally in (rows.get(config) or {}).items()
        if name in facts.sources
    ]


def _command(report: Mapping[str, Any]) -> str:
    """The command that builds it again from the raw files; own data and filters of one's own must be named by hand."""
    options, sources = report.get("options") or {}, report.get("sources") or {}
    known = builders()
    words = ["dialogue-cube", "build"]
    words += [f"{name}:{facts['config']}" for name, facts in sources.items() if name in known]
    words += ["--raw-dir", "RAW", "--out", "DATASET"]
    if any(name not in known for name in sources):
        words += ["--own", "OWN"]
    words += _given(
        {
            "--split-policy": options.get("split_policy"),
            "--quality": (options.get("quality") or {}).get("preset"),
            "--seed": options.get("seed"),
            "--context-turns": options.get("context_turns"),
            "--same-intent": options.get("same_intent"),
            "--encoder": options.get("encoder"),
            "--hard-negatives": options.get("hard_negatives"),
            "--license": ",".join(options.get("licenses") or []),
            "--languages": ",".join(options.get("languages") or []),
            "--splits": _unless(schema.SPLITS, options.get("splits")),
            "--directions": _unless(DIRECTIONS, options.get("directions")),
        }
    )
    return shlex.join(words)


def _unless(usual: Iterable[str], chosen: Iterable[str] | None) -> str:
    """What was chosen, by commas; nothing where it is the usual."""
    return "" if list(chosen or usual) == list(usual) else ",".join(chosen or ())


def _given(options: Mapping[str, Any]) -> Iterable[str]:
    return [str(word) for option, value in options.items() if value not in (None, 0, "") for word in (option, value)]


def _type(feature: Any) -> str:
    """A feature as people write it: `string`, `list of string`, `list of {speaker, text}`."""
    if isinstance(feature, dict):
        return f"{{{', '.join(feature)}}}"
    inner = getattr(feature, "feature", None)
    return f"list of {_type(inner)}" if inner is not None else str(feature.dtype)
