"""The chart of the dataset card, in characters: any Markdown viewer shows it, and it needs no file beside the card."""

from __future__ import annotations

from dataset_builders.card.facts import Facts
from dataset_builders.schema import SPLITS, Split

WIDTH = 48
"""Length of the longest bar, in characters."""

MARKS: dict[Split, str] = {"train": "█", "validation": "▓", "test": "░"}


def rows_by_source(facts: Facts) -> str:
    """One block of bars for each config: the rows of each source, most first, with a part for each split."""
    blocks = []
    width = max(map(len, facts.sources), default=0)
    for config in facts.configs:
        sizes = {source: facts.count(config, source=source) for source in facts.sources}
        longest = max(sizes.values())
        lines = [str(config)]
        for source, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
            if size:
                parts = {split: facts.count(config, split, source) for split in SPLITS}
                lines.append(f"  {source:{width}}  {_bar(parts, longest)} {size:,}")
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, "  ".join(f"{mark} {split}" for split, mark in MARKS.items())])


def _bar(parts: dict[Split, int], longest: int) -> str:
    # a part is at least one character long, so that none is invisible
    return "".join(MARKS[split] * max(1, round(WIDTH * n / longest)) for split, n in parts.items() if n)
