"""The dialogues of a flow."""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from cube_model.data.hub import data_files
from cube_model.data.turns import Turns, read_turns
from cube_model.errors import ModelError
from cube_model.flow.config import FlowConfig

SPEAKERS = ("user", "system")


def rows_of_domain(turns: Turns, domain: str | None) -> np.ndarray:
    """Return the numbers of the turns in dialogues whose only domain is this one, int64; None: of all turns.

    Raises:
        ModelError: There is no such dialogue; the message lists the domains.
    """
    if domain is None:
        return np.arange(len(turns))
    alone = np.array([names == (domain,) for names in turns.domains])
    if not alone.any():
        raise ModelError(_no_domain(turns, domain))
    return np.flatnonzero(alone[turns.dialogues])


def single_domains(turns: Turns) -> dict[str, int]:
    """Return the number of dialogues of each domain that have no other, most first."""
    counts = Counter(names[0] for names in turns.domains if len(names) == 1)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def read_dialogues(config: FlowConfig) -> tuple[Turns, np.ndarray]:
    """Read the turns that a configuration selects.

    Returns:
        The turns of the split, and the numbers of those in the dialogues of the flow, int64.

    Raises:
        ModelError: The dataset, the split, a source, a language or the domain does not exist, or there are fewer than
            two dialogues.
    """
    turns = joined(_splits(config))
    rows = rows_of_domain(turns, config.domain)
    if (count := len(np.unique(turns.dialogues[rows]))) < 2:
        where = f"{config.data}, split {config.split}" + (f", domain {config.domain}" if config.domain else "")
        raise ModelError(f"{where}: only {count} dialogue; a flow needs at least 2, choose another split or domain")
    return turns, rows


def _splits(config: FlowConfig) -> list[Turns]:
    """Read the splits that have dialogues of the sources and languages."""
    splits = list(data_files(config.data, "dialogues")) if config.split == "all" else [config.split]
    parts, failed = [], None
    for split in splits:
        try:
            parts.append(read_turns(config.data, split, sources=config.sources, languages=config.languages))
        except ModelError as error:  # a source need not be in every split
            failed = error
    if failed is not None and not parts:
        raise failed
    return parts


def joined(parts: Sequence[Turns]) -> Turns:
    """Put the turns of several splits one after the other.

    Args:
        parts: Turns of at least one split.
    """
    if len(parts) == 1:
        return parts[0]
    columns: dict[str, Any] = {}
    for name in (field.name for field in fields(Turns)):
        values = [getattr(part, name) for part in parts]
        if isinstance(values[0], list):
            columns[name] = [value for column in values for value in column]
        elif isinstance(values[0], np.ndarray):
            columns[name] = np.concatenate(values)
    counts = [len(part.dialogue_ids) for part in parts]
    columns["dialogues"] += np.repeat(np.cumsum(counts) - counts, [len(part) for part in parts])
    digest = hashlib.sha256("".join(part.fingerprint for part in parts).encode())
    return Turns(**columns, fingerprint=digest.hexdigest())


def _no_domain(turns: Turns, domain: str) -> str:
    domains = single_domains(turns)
    if not domains:
        return f"domain {domain}: the selected dialogues have no domains, or several each; leave --domain out"
    similar = difflib.get_close_matches(domain, domains, n=1)
    hint = f"did you mean {similar[0]}? " if similar else ""
    choices = ", ".join(f"{name} ({count})" for name, count in domains.items())
    return f"domain {domain}: no dialogue has it alone; {hint}choose from {choices}"
