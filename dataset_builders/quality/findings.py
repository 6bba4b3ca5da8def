"""What a filter says about the rows of a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

VALUE_LENGTH = 200
"""Characters of an offending value or a text that a drop record quotes."""


@dataclass(frozen=True)
class Findings:
    """Rows that a filter objects to.

    Attributes:
        rows: Ascending, unique row numbers, int64 of shape (n,).
        values: The offending value of each, n strings: what to look at, or the measured number.
    """

    rows: np.ndarray
    values: pa.Array
