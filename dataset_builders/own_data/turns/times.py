"""Times of messages: numbers since 1970, ISO 8601, mail dates, and local dates whose order the whole file decides."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Literal, get_args

from dataset_builders.own_data.rejects import BadRecord

DateOrder = Literal["dmy", "mdy", "ymd"]
DATE_ORDERS = get_args(DateOrder)

_LOCAL = re.compile(
    r"(?P<a>\d{1,4})[./-](?P<b>\d{1,2})[./-](?P<c>\d{1,4})\.?(?:,?\s*(?:в|um|at|T)?\s*"
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:[.,]\d+)?)?\s*(?P<half>[AaPp]\.?\s?[Mm]\.?)?)?"
)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:?\d{2}.*)?")
_NUMBER = re.compile(r"\d{9,19}(\.\d+)?")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))?\s*([AaPp]\.?\s?[Mm]\.?)?")


def seconds(value: Any, order: DateOrder | None = None) -> float | None:
    """The time of a value in seconds since 1970, without a time zone as UTC; None if it is not a time.

    Numbers are seconds, milliseconds, microseconds or nanoseconds by their size, for years from 1973 on.

    Args:
        value: JSON value.
        order: Order of day, month and year in local dates; None takes no local date but `2026-01-31`.

    >>> seconds("2026-01-31T12:00:00Z") == seconds(1769860800) == seconds(1769860800000)
    True
    >>> seconds("31.01.26, 12:00", "dmy") == seconds("1/31/26, 12:00 PM", "mdy") == seconds("2026-01-31 12:00")
    True
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _scaled(float(value))
    text = " ".join(str(value).replace("\u202f", " ").replace("\u200e", "").split())
    if _NUMBER.fullmatch(text):
        return _scaled(float(text))
    if _ISO.fullmatch(text):
        return _iso(text)
    if order and (match := _LOCAL.fullmatch(text)):
        return _local(match, order)
    try:
        return _stamp(parsedate_to_datetime(text)) if re.search("[A-Za-z]{3}", text) else None
    except (ValueError, TypeError, IndexError):
        return None


def clock_seconds(value: Any) -> float | None:
    """The seconds since midnight of a time without a day; None if it is none.

    >>> clock_seconds("10:02"), clock_seconds("10:02:30 PM"), clock_seconds("Monday")
    (36120.0, 79350.0, None)
    """
    if (match := _CLOCK.fullmatch(" ".join(str(value).replace("\u202f", " ").split()))) is None:
        return None
    hour, minute, second, half = int(match[1]), int(match[2]), float((match[3] or "0").replace(",", ".")), match[4]
    if half:
        hour = hour % 12 + (12 if half.lower().startswith("p") else 0)
    return 3600 * hour + 60 * minute + second


def find_order(values: Iterable[str]) -> DateOrder | None:
    """The order of day, month and year in the local dates of a file; None if there are none.

    Args:
        values: Dates of the file.

    Raises:
        BadRecord: More than one order fits all dates.
    """
    fits: set[DateOrder] = set(DATE_ORDERS)
    example = ""
    for value in values:
        match = _LOCAL.fullmatch(" ".join(value.replace("\u202f", " ").replace("\u200e", "").split()))
        if match is None:
            continue
        example = example or value
        a, b, c = (int(match[name]) for name in "abc")
        if len(match["a"]) == 4:
            return "ymd"
        fits -= {order for order, bad in (("dmy", a > 31 or b > 12), ("mdy", a > 12 or b > 31)) if bad}
        if len(match["c"]) == 4 or c > 31 or b > 12:
            fits.discard("ymd")
        if "." in match[0].split()[0].rstrip(","):  # 31.01.26: no country writes the month first with dots
            fits &= {"dmy"}
        if len(fits) == 1:
            break
    if not example:
        return None
    if len(fits - {"ymd"}) == 1:  # two digits of a year at the front are rare; nothing else speaks for them
        fits.discard("ymd")
    if len(fits) != 1:
        raise BadRecord(f"{example!r} may be day/month or month/day; say which: date_order (--date-order dmy or mdy)")
    return fits.pop()


def _scaled(number: float) -> float | None:
    for scale in (1.0, 1e3, 1e6, 1e9):
        if 1e8 <= number / scale < 1e10:
            return number / scale
    return None


def _iso(text: str) -> float | None:
    try:  # the usual forms; what follows is for those that Python 3.10 does not take
        return _stamp(datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text))
    except ValueError:
        pass
    text = re.sub(r"\.(\d{1,6})\d*", lambda m: f".{m[1]:0<6}", text)  # Python 3.10 takes three or six digits only
    text = re.sub(r"\s*(Z|UTC|GMT)$", "+00:00", text)
    text = re.sub(r"\s*([+-]\d{2}):?(\d{2})$", r"\1:\2", text) if ":" in text else text
    try:
        return _stamp(datetime.fromisoformat(text))
    except ValueError:
        return None


def _local(match: re.Match[str], order: DateOrder) -> float | None:
    parts = dict(zip(order, (int(match[name]) for name in "abc"), strict=True))
    year = parts["y"] + (2000 if parts["y"] < 100 else 0)
    hour, half = int(match["hour"] or 0), (match["half"] or "").lower()
    if half:
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    try:
        return _stamp(
            datetime(year, parts["m"], parts["d"], hour, int(match["minute"] or 0), int(match["second"] or 0))
        )
    except ValueError:
        return None


def _stamp(time: datetime) -> float:
    return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()
