"""The dataset card, written by a build, and again by a push for the rows that it uploads.

Row counts, licences, languages and flags are counted in the parquet files (`facts`). Facts about the build (leaks,
drops, options, digests) come from `quality/report.json`; names, citations and known faults from `SourceInfo`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from dataset_builders import schema
from dataset_builders.card.chart import rows_by_source
from dataset_builders.card.copies import restricted_copies
from dataset_builders.card.facts import Facts, count_rows
from dataset_builders.card.samples import example_row, loading_calls
from dataset_builders.card.views import STORED, View, default_view, views
from dataset_builders.common.seals import sealed
from dataset_builders.folder.layout import FORMAT, REPORT
from dataset_builders.licenses import LICENSES, get_license
from dataset_builders.pairs.consecutive import DIRECTIONS
from dataset_builders.sources.registry import builders

LEAKS = {
    "dialogue": "dialogues with a near duplicate in the other split",
    "pair": "pairs whose two texts occur in the other split",
    "text": "labelled utterances that occur in the other split",
    "benchmark": "pretraining pairs with a test utterance of an intent set",
    "translated dialogue": "dialogues with a translation in the other split",
    "translated text": "labelled utterances with a translation in the other split",
}
"""Meaning of each kind of leak in the report."""

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""Size categories of the Hub, each with its exclusive upper bound of rows."""


_TASKS: dict[schema.Config, tuple[tuple[str, str], ...]] = {
    "dialogues": (("text-generation", "dialogue-modeling"),),
    "pairs": (("sentence-similarity", ""), ("text-retrieval", "")),
    "downstream": (("text-classification", "intent-classification"),),
}
"""Task categories of the Hub that the rows of a config serve, each with a task id or none."""


def write_card(folder: Path) -> None:
    """Write `folder/README.md` from the rows and the report in the folder."""
    report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    (folder / "README.md").write_text(sealed(dataset_card(folder, report)), encoding="utf-8")


def dataset_card(
    folder: Path,
    report: Mapping[str, Any],
    *,
    repo_id: str = "ORG/NAME",
    held: Mapping[str, Mapping[str, int]] | None = None,
) -> str:
    """Render README.md: a YAML header for the Hub and `load_dataset` (`configs:`), and a page for people.

    Args:
        folder: Folder with the rows that the card describes.
        report: Content of `quality/report.json`.
        repo_id: Repository `org/name` that the examples load.
        held: Numbers of rows that a push holds back: source -> config -> rows.
    """
    import jinja2
    import yaml

    facts, held = count_rows(folder), held or {}
    configs = views(facts)
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["n"] = lambda number: f"{number:,}" if number else ""
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    environment.filters["code"] = lambda text: "`{}`".format(text.replace("`", "'").replace("|", "\\|"))
    template = files("dataset_builders.card").joinpath("card_template.md.jinja").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        metadata=yaml.safe_dump(_metadata(facts, configs, report), sort_keys=False, allow_unicode=True).strip(),
        repo_id=repo_id,
        facts=facts,
        views=configs,
        trained="triplets" if any(view.name == "triplets" for view in configs) else "pairs",
        author=repo_id.split("/")[0],
        cite_key=re.sub(r"\W+", "_", repo_id).lower(),
        first_split={view.name: next(iter(view.rows)) for view in configs},
        default=default_view([view.name for view in configs]),
        stored=STORED,
        calls=loading_calls(folder, configs, repo_id),
        examples={config: example_row(folder, config, splits[0]) for config, splits in facts.configs.items()},
        chart=rows_by_source(facts),
        configs=list(facts.configs),
        splits=schema.SPLITS,
        sources=[_source(name, facts, report) for name in facts.sources],
        licenses=[get_license(name) for name in _licenses(facts)],
        format=FORMAT,
        changes=schema.CHANGES,
        columns=schema.COLUMNS,
        features={
            config: {name: _type(f) for name, f in columns.items()} for config, columns in schema.FEATURES.items()
        },
        leaks=_leaks(facts, report),
        duplicates=_duplicates(facts, report),
        not_compared=(report.get("not_compared") or {}).get("comparisons"),
        copies=_copies(facts, report),
        dropped=_dropped(facts, report),
        decisions=_decisions(facts, report),
        version=report.get("version", "unknown"),
        fingerprint=report.get("fingerprint", "unknown"),
        options=report.get("options") or {},
        command=_command(report),
        held=held,
        held_rows=sum(sum(rows.values()) for rows in held.values()),
        held_configs=[c for c in schema.CONFIGS if any(c in rows for rows in held.values())],
        held_licenses={name: _recorded(name, report).get("license", "unknown") for name in held},
    )


def _metadata(facts: Facts, configs: Sequence[View], report: Mapping[str, Any]) -> dict[str, Any]:
    rows = max((facts.count(config) for config in facts.configs), default=0)
    tasks = [task for config in facts.configs for task in _TASKS[config]]
    default = default_view([view.name for view in configs])
    # `load_dataset` caches the rows of a local folder by `configs:`, not by the content of the files:
    # without the fingerprint, a folder built again would give the rows of the first build
    entries = [view.config(f"build {report.get('fingerprint')}") for view in configs]
    return {
        "pretty_name": "Dialogue corpus",
        # the Hub expects languages without regions
        "language": sorted({tag.split("-")[0] for tag in facts.languages if tag and tag != "und"}),
        "license": sorted({get_license(name).hub_id for name in _licenses(facts)}),
        "task_categories": [task for task, _ in tasks],
        "task_ids": [subtask for _, subtask in tasks if subtask],
        "size_categories": [next((name for limit, name in _SIZES if rows < limit), "1M<n<10M")],
        "tags": [
            *("dialogue", "task-oriented-dialogue", "intent-classification", "response-selection", "parquet"),
            *(["sentence-transformers"] if "pairs" in facts.configs else []),
        ],
        "configs": [entry | {"default": True} if entry["config_name"] == default else entry for entry in entries],
        "dataset_info": [info for view in configs if (info := view.dataset_info())],
    }


def _licenses(facts: Facts) -> list[str]:
    """Licences of the rows in the order of `LICENSES`, followed by those not listed there."""
    order = list(LICENSES)
    names = {name for licenses in facts.licenses.values() for name in licenses}
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), str(name)))


def _recorded(name: str, report: Mapping[str, Any]) -> dict[str, Any]:
    """Entry of a source in the report; empty if there is none."""
    return dict((report.get("sources") or {}).get(name) or {})


def _source(name: str, facts: Facts, report: Mapping[str, Any]) -> dict[str, Any]:
    """Facts about a source for the template."""
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
        "origin": info.origin if info and info.origin else "unknown",
        "coverage": recorded.get("coverage") or {},
        "input_hash": recorded.get("input_hash", ""),
    }


def _leaks(facts: Facts, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Numbers of leaks before and after the build for each kind and pair of splits, over the sources in the folder."""
    leaks, rows = report.get("leaks") or {}, []
    for kind, meaning in LEAKS.items():
        before, after = (
            [counts for name, counts in (leaks.get(time, {}).get(kind) or {}).items() if name in facts.sources]
            for time in ("before", "after")
        )
        for splits in dict.fromkeys(pair for counts in [*before, *after] for pair in counts):
            rows.append(
                {
                    "meaning": meaning,
                    "splits": splits.replace("-", " / "),
                    "before": sum(counts.get(splits, 0) for counts in before),
                    "after": sum(counts.get(splits, 0) for counts in after),
                }
            )
    return rows


def _duplicates(facts: Facts, report: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Source, other source, and number of dialogues of the first with a near duplicate in the second; largest first."""
    counts = (report.get("duplicates") or {}).get("dialogues") or {}
    entries = [(*pair.split("|"), count) for pair, count in counts.items()]
    entries = [(a, b, count) for a, b, count in entries if count and a in facts.sources and b in facts.sources]
    return sorted(entries, key=lambda entry: (-entry[2], entry[:2]))


def _copies(facts: Facts, report: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Those of `_duplicates` whose first source is own data, and whose second one must not be passed on."""
    duplicates = {f"{a}|{b}": count for a, b, count in _duplicates(facts, report)}
    return restricted_copies(
        duplicates, {name: _recorded(name, report).get("redistributable") for name in facts.sources}
    )


def _dropped(facts: Facts, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Row counts of each config and source in the folder."""
    rows = report.get("rows") or {}
    return [
        {"source": name, "config": config, **tally}
        for config in schema.CONFIGS
        for name, tally in (rows.get(config) or {}).items()
        if name in facts.sources
    ]


def _decisions(facts: Facts, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Number of decisions of people about rows, by source, decision and outcome."""
    return [
        {"source": source, "decision": decision.replace("_", " "), "outcome": outcome, "count": count}
        for source, table in (report.get("decisions") or {}).items()
        for decision, outcomes in table.items()
        for outcome, count in outcomes.items()
        if source in facts.sources and decision != "not_obeyed"
    ]


def _command(report: Mapping[str, Any]) -> str:
    """Command that repeats the build; own data, custom filters and decisions must be filled in by hand."""
    options, sources = report.get("options") or {}, report.get("sources") or {}
    names = builders()
    words = ["dialogue-cube", "build"]
    words += [f"{name}:{facts['config']}" for name, facts in sources.items() if name in names]
    words += ["--raw-dir", "RAW", "--out", "DATASET"]
    if any(name not in names for name in sources):
        words += ["--own", "OWN"]
    words += _as_arguments(
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
            "--origins": ",".join(options.get("origins") or []),
            "--splits": _unless_default(options.get("splits"), schema.SPLITS),
            "--directions": _unless_default(options.get("directions"), DIRECTIONS),
            "--decisions": "DECISIONS" if options.get("decisions") else None,
        }
    )
    return shlex.join(words)


def _unless_default(values: Iterable[str] | None, default: Iterable[str]) -> str:
    """Comma-separated values; empty if they equal the default."""
    return "" if list(values or default) == list(default) else ",".join(values or ())


def _as_arguments(options: Mapping[str, Any]) -> Iterable[str]:
    """Options and their values as words of a command line, without those that are unset."""
    return [str(word) for option, value in options.items() if value not in (None, 0, "") for word in (option, value)]


def _type(feature: Any) -> str:
    """Readable name of a feature: `string`, `list of string`, `list of {speaker, text}`."""
    if isinstance(feature, dict):
        return f"{{{', '.join(feature)}}}"
    inner = getattr(feature, "feature", None)
    return f"list of {_type(inner)}" if inner is not None else str(feature.dtype)
