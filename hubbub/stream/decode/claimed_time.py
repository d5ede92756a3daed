"""Reads the times that platforms write; what cannot be read is None, for they are never trusted."""

from __future__ import annotations

from hubbub.errors import InvalidInput
from hubbub.units import US_PER_S, parse_time_us

_MONTHS = {
    name: number
    for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)
}
_SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
"""X's ids count milliseconds from here, shifted left by 22 bits (Snowflake, 4 November 2010)."""
_FIRST_SNOWFLAKE = 29_700_000_000
"""Ids below were handed out one by one and tell no time."""


def read_time_us(value: object) -> int | None:
    """Read ISO 8601, X v1.1's `Mon Jan 02 20:00:13 +0000 2012`, or seconds, ms or us since 1970."""
    if isinstance(value, str):
        return _read_text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _read_number(value)
    return None


def _read_text(text: str) -> int | None:
    if len(text) > 40:
        return None
    try:
        return parse_time_us(_iso_of_v1(text) if text[:1].isalpha() else text)
    except (InvalidInput, OverflowError):
        return None


def _iso_of_v1(text: str) -> str:
    parts = text.split()
    if len(parts) != 6 or parts[1] not in _MONTHS:
        return ""
    _, month, day, clock, zone, year = parts
    return f"{year}-{_MONTHS[month]:02d}-{day}T{clock}{zone}"


def _read_number(value: float) -> int | None:
    """Tell seconds, milliseconds and microseconds apart by size: each covers 1973 to 5138."""
    for limit, factor in ((1e11, US_PER_S), (1e14, 1000), (1e17, 1)):
        if 0 <= value < limit:
            return int(value * factor)
    return None


def snowflake_time_us(status_id: str) -> int | None:
    """Compute when X made an id, None for ids from before Snowflake."""
    if not (status_id.isascii() and status_id.isdigit() and len(status_id) <= 19):
        return None
    number = int(status_id)
    if number < _FIRST_SNOWFLAKE:
        return None
    return ((number >> 22) + _SNOWFLAKE_EPOCH_MS) * 1000
