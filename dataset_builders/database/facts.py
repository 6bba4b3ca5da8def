"""The content of `quality/report.json` as small tables: `sources`, `source_rows`, `leaks`, `duplicates`."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa

from dataset_builders.licenses import get_license

_text, _number, _share = pa.string(), pa.int64(), pa.float64()

SCHEMAS = {
    "sources": pa.schema(
        {
            "source": _text,
            "title": _text,  # null for own data, as are most facts below
            "kind": _text,  # dialogues or downstream
            "config": _text,
            "homepage": _text,
            "citation": _text,
            "license": _text,
            "license_evidence": _text,
            "license_disputed": _text,
            "commercial_use": _text,  # yes, no or unknown
            "redistributable": pa.bool_(),
            "notes": _text,
            "origin": _text,  # human, machine or template
            "acts": _share,  # share of turns that have acts, slots and states, and of dialogues that have domains
            "slots": _share,
            "state": _share,
            "domains": _share,
            "differs_from_official": pa.list_(_text),
            "rejected": _number,  # records of own data that could not be used
            "input_hash": _text,  # digest of the raw files and the code that reads them
            "dialogues": _number,
            "utterances": _number,
            "pairs": _number,
            "rows": _number,  # labelled utterances
        }
    ),
    "source_rows": pa.schema({"config": _text, "source": _text, "rows_in": _number, "rows_out": _number}),
    "leaks": pa.schema({"stage": _text, "kind": _text, "source": _text, "splits": _text, "rows": _number}),
    "duplicates": pa.schema({"config": _text, "source": _text, "also_in": _text, "rows": _number}),
}

COMMENTS = {
    "sources": "One row per source. rows: labelled utterances; differs_from_official: counts that differ; acts, slots, "
    "state: share of turns that have them; domains: share of dialogues",
    "source_rows": "Rows of each source: before (rows_in) and after the filters (rows_out); the others are in drops",
    "leaks": "Rows with a duplicate in another split. stage: before or after the split policy; splits: the two splits",
    "duplicates": "rows: rows of a source that have a duplicate in also_in, which may be the same source",
}

KEYS = {
    "sources": ("source",),
    "source_rows": ("config", "source"),
    "leaks": ("stage", "kind", "source", "splits"),
    "duplicates": ("config", "source", "also_in"),
}


def facts(report: dict[str, Any]) -> dict[str, pa.Table]:
    """The tables by name.

    Args:
        report: Content of `quality/report.json`.
    """
    rows: dict[str, list[dict[str, Any]]] = {
        "sources": [_source(name, source) for name, source in report.get("sources", {}).items()],
        "source_rows": [
            {"config": config, "source": source, "rows_in": counts["in"], "rows_out": counts["out"]}
            for config, sources in report.get("rows", {}).items()
            for source, counts in sources.items()
        ],
        "leaks": [
            {"stage": stage, "kind": kind, "source": source, "splits": splits, "rows": number}
            for stage, kinds in report.get("leaks", {}).items()
            for kind, sources in kinds.items()
            for source, counts in sources.items()
            for splits, number in counts.items()
        ],
        "duplicates": [
            {"config": config, "source": key.split("|")[0], "also_in": key.split("|")[1], "rows": number}
            for config, matrix in report.get("duplicates", {}).items()
            for key, number in matrix.items()
        ],
    }
    return {name: pa.Table.from_pylist(rows[name], schema) for name, schema in SCHEMAS.items()}


def _source(name: str, source: dict[str, Any]) -> dict[str, Any]:
    from dataset_builders.sources.registry import builders

    info = builders()[name].INFO if name in builders() else None
    counts = sum((Counter(split) for split in source["splits"].values()), Counter[str]())
    facts = ("title", "kind", "homepage", "citation", "license_evidence", "license_disputed", "notes", "origin")
    return {
        "source": name,
        **{fact: getattr(info, fact) for fact in facts if info is not None},
        "kind": "downstream" if counts["rows"] else "dialogues",
        "commercial_use": get_license(source["license"]).commercial,
        **{key: source[key] for key in ("config", "license", "redistributable", "input_hash", "rejected")},
        "differs_from_official": source["differs_from_official"],
        **source.get("coverage", {}),
        **{what: counts[what] for what in ("dialogues", "utterances", "pairs", "rows")},
    }
