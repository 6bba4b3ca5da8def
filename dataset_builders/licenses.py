"""What each licence allows: the one place that decides whether a row may be passed on.

A licence that is not listed here is treated as `unknown`: not redistributable. The entries follow the licences' own
texts (creativecommons.org, opensource.org, and the files named by each source).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from dataset_builders.common.errors import DataError

Commercial = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class License:
    """One licence.

    Args:
        id: SPDX identifier, or `LicenseRef-...` for one that has none.
        redistributable: The data may be passed on.
        commercial: Commercial use is allowed.
        share_alike: What is derived must carry the same licence.
        attribution: The authors must be named.
    """

    id: str
    redistributable: bool
    commercial: Commercial
    share_alike: bool = False
    attribution: bool = True

    @property
    def hub_id(self) -> str:
        """The Hub's name of it: lower case; `other` for one that has no public identifier."""
        return "other" if self.id.startswith("LicenseRef-") else self.id.lower()


UNKNOWN = License("unknown", redistributable=False, commercial="unknown")

LICENSES = {
    entry.id: entry
    for entry in (
        License("Apache-2.0", redistributable=True, commercial="yes"),
        License("MIT", redistributable=True, commercial="yes"),
        License("CC0-1.0", redistributable=True, commercial="yes", attribution=False),
        License("CC-BY-3.0", redistributable=True, commercial="yes"),
        License("CC-BY-4.0", redistributable=True, commercial="yes"),
        License("CC-BY-SA-4.0", redistributable=True, commercial="yes", share_alike=True),
        License("LicenseRef-Maluuba-Frames", redistributable=False, commercial="no"),
        License("LicenseRef-Microsoft-Research", redistributable=False, commercial="no"),
        License("LicenseRef-Microsoft-Human-Dialogue-Data", redistributable=False, commercial="no"),
        # a user's own data: theirs to use, not ours to publish
        License("LicenseRef-private", redistributable=False, commercial="yes"),
        UNKNOWN,
    )
}


def get_license(license_id: str) -> License:
    """The licence of an id, `UNKNOWN` when it is not listed."""
    return LICENSES.get(license_id, UNKNOWN)


def qualifies(license_id: str, wanted: Iterable[str]) -> bool:
    """Whether a licence is among the wanted: ids, or `commercial` for all that allow commercial use.

    Raises:
        DataError: A wanted id is not known.
    """
    names = list(wanted)
    unknown = [name for name in names if name not in LICENSES and name != "commercial"]
    if unknown:
        raise DataError(f"no licence {unknown[0]!r}; expected `commercial` or any of {', '.join(LICENSES)}")
    return license_id in names or ("commercial" in names and get_license(license_id).commercial == "yes")
