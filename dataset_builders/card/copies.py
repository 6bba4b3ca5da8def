"""Own dialogues that repeat those of sources that must not be passed on."""

from __future__ import annotations

from collections.abc import Mapping

from dataset_builders.sources.registry import builders


def restricted_copies(
    duplicates: Mapping[str, int], redistributable: Mapping[str, bool | None]
) -> list[tuple[str, str, int]]:
    """Find own sources whose dialogues are near duplicates of those of restricted sources.

    Args:
        duplicates: `SOURCE|OTHER` -> number of dialogues of the first with a near duplicate in the second.
        redistributable: Source -> whether its rows may be passed on; one that is missing may not.

    Returns:
        Own source, restricted source and number of dialogues of the first; largest number first.
    """
    entries: list[tuple[str, str, int]] = []
    for pair, count in duplicates.items():
        own, _, other = pair.partition("|")
        entries.append((own, other, count))
    copies = [
        (own, other, count)
        for own, other, count in entries
        if count and own != other and own not in builders() and redistributable.get(other) is not True
    ]
    return sorted(copies, key=lambda copy: (-copy[2], copy[:2]))
