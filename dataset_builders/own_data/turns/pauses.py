"""Cut an endless chat into conversations at its pauses."""

from __future__ import annotations

from collections.abc import Sequence


def between_pauses(times: Sequence[float | None], gap: float | None) -> list[tuple[int, int]]:
    """Half-open ranges of messages between pauses.

    Args:
        times: Time of each message in seconds, in order; None if it has none, which is no pause.
        gap: Minimum length of a pause in seconds; None for no cut.

    >>> between_pauses([0, 10, 100, 105], gap=60)
    [(0, 2), (2, 4)]
    """
    cuts, last = [0], None
    for number, time in enumerate(times):
        if gap and time is not None and last is not None and time - last >= gap:
            cuts.append(number)
        last = time if time is not None else last
    return list(zip(cuts, [*cuts[1:], len(times)], strict=True))
