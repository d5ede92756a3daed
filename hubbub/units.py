"""Read and print times, durations and sizes; it knows no clock of its own but the system's.

Times are integers of microseconds since 1970-01-01 UTC and are named `*_us`.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from hubbub.errors import InvalidInput

US_PER_S = 1_000_000
US_PER_MINUTE = 60 * US_PER_S
US_PER_HOUR = 60 * US_PER_MINUTE
US_PER_DAY = 24 * US_PER_HOUR

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|m|h|d|w)")
_DURATION_US = {
    "us": 1,
    "ms": 1000,
    "s": US_PER_S,
    "m": US_PER_MINUTE,
    "h": US_PER_HOUR,
    "d": US_PER_DAY,
    "w": 7 * US_PER_DAY,
}
# Years 1..9999 are what datetime can print.
_MIN_US = -62_135_596_800 * US_PER_S
_MAX_US = 253_402_300_799 * US_PER_S


def now_us() -> int:
    """Return the system's time, in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def parse_time_us(text: str) -> int:
    """Read an ISO 8601 time or date (UTC where no zone is given) as microseconds since 1970.

    Raises:
        InvalidInput: the text is not such a time.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput(
            f"time {text[:60]!r} is not ISO 8601; write 2011-01-28T18:00:00Z or 2011-01-28"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * US_PER_S + delta.microseconds


def format_time(time_us: int) -> str:
    """Write a time as ISO 8601 in UTC, whole seconds."""
    return to_datetime(time_us).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def to_datetime(time_us: int) -> datetime:
    """Turn microseconds since 1970 into an aware datetime in UTC, clamped to the years 1 to 9999."""
    return datetime.fromtimestamp(min(max(time_us, _MIN_US), _MAX_US) / US_PER_S, UTC)


def parse_duration_us(text: str) -> int:
    """Read a duration such as `90s`, `1.5h` or `2d` as microseconds.

    Raises:
        InvalidInput: the text is not such a duration.
    """
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise InvalidInput(
            f"duration {text[:60]!r} is not understood; write a number and one of us ms s m h d w, as 90s"
        )
    return round(float(match[1]) * _DURATION_US[match[2]])


def format_bytes(num_bytes: float) -> str:
    """Write a size in binary units, as `1.5 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if num_bytes < 1024:
            return f"{num_bytes:.0f} {unit}" if unit == "B" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1024
    return f"{num_bytes:.1f} TiB"
