"""Terms of the licences: the only place that decides whether a row may be redistributed.

A licence that is not listed here counts as `unknown`, hence not redistributable. The entries follow the texts of the
licences (creativecommons.org, opensource.org, and the files named by each source).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from dataset_builders.common.errors import DataError

Commercial = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class License:
    """Terms of a licence.

    Args:
        id: SPDX identifier, or `LicenseRef-...` for a licence without one.
        redistributable: Whether the data may be redistributed.
        commercial: Whether commercial use is allowed.
        share_alike: Whether derived works must carry the same licence.
        attribution: Whether the authors must be named.
    """

    id: str
    redistributable: bool
    commercial: Commercial
    share_alike: bool = False
    attribution: bool = True

    @property
    def hub_id(self) -> str:
        """Identifier on the Hub: in lower case, or `other` for a licence without an SPDX identifier."""
        return "other" if self.id.startswith("LicenseRef-") else self.id.lower()


UNKNOWN = License("unknown", redistributable=False, commercial="unknown")

LICENSES = {
    entry.id: entry
    for entry in (
        License("Apache-2.0", redistributable=True, commercial="yes"),
        License("MIT", redistributable=True, commercial="yes"),
        License("BSD-3-Clause", redistributable=True, commercial="yes"),
        License("CC0-1.0", redistributable=True, commercial="yes", attribution=False),
        License("CC-BY-2.5", redistributable=True, commercial="yes"),
        License("CC-BY-3.0", redistributable=True, commercial="yes"),
        License("CC-BY-4.0", redistributable=True, commercial="yes"),
        License("CC-BY-SA-3.0", redistributable=True, commercial="yes", share_alike=True),
        License("CC-BY-SA-4.0", redistributable=True, commercial="yes", share_alike=True),
        License("CDLA-Permissive-1.0", redistributable=True, commercial="yes"),
        License("CDLA-Sharing-1.0", redistributable=True, commercial="yes", share_alike=True),
        License("LicenseRef-Maluuba-Frames", redistributable=False, commercial="no"),
        License("LicenseRef-Microsoft-Research", redistributable=False, commercial="no"),
        License("LicenseRef-Microsoft-Human-Dialogue-Data", redistributable=False, commercial="no"),
        # a user's own data: never published by default
        License("LicenseRef-private", redistributable=False, commercial="yes"),
        UNKNOWN,
    )
}


def get_license(license_id: str) -> License:
    """Return the licence with this id, or `UNKNOWN` if it is not listed."""
    return LICENSES.get(license_id, UNKNOWN)


def qualifies(license_id: str, allowed: Iterable[str]) -> bool:
    """Whether a licence is allowed.

    Args:
        license_id: Id of the licence.
        allowed: Ids of licences, or `commercial` for all that allow commercial use.

    Raises:
        DataError: An allowed id is not listed.
    """
    names = list(allowed)
    unknown = [name for name in names if name not in LICENSES and name != "commercial"]
    if unknown:
        raise DataError(f"no licence {unknown[0]!r}; expected `commercial` or any of {', '.join(LICENSES)}")
    return license_id in names or ("commercial" in names and get_license(license_id).commercial == "yes")
