"""Counts what was found by author, day, hashtag and time, for the sides of a search; it searches nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from hubbub.index.query import Hit
from hubbub.units import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, to_datetime

MAX_VALUES = 10
MAX_BARS = 48
"""Of a timeline; on the narrowest phone each is then as wide as a hair space."""
_TAG = re.compile(r"#(\w*[^\W\d]\w*)")
_STEPS_US = [
    *(minutes * US_PER_MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * US_PER_HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * US_PER_DAY for days in (1, 2, 7, 14, 28, 91, 182, 364, 3_640, 36_400)),
]


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """How many posts were received in each of some equal times, microseconds since 1970 UTC."""

    from_us: int
    step_us: int
    counts: list[int]


def count_facets(hits: Sequence[Hit]) -> dict[str, list[dict[str, object]]]:
    """Count authors, days (UTC) and hashtags, the most frequent first."""
    counts: dict[str, Counter[str]] = {"authors": Counter(), "days": Counter(), "hashtags": Counter()}
    days: Counter[int] = Counter()
    for hit in hits:
        post = hit.post
        counts["authors"][post.handle or post.author] += 1
        days[post.received_us // US_PER_DAY] += 1
        if post.hashtags or "#" in post.text:
            tags = (*post.hashtags, *_TAG.findall(post.text))
            counts["hashtags"].update({tag.casefold() for tag in tags})
    for day, number in days.items():
        counts["days"][to_datetime(day * US_PER_DAY).date().isoformat()] += number
    return {
        name: [{"value": value, "count": number} for value, number in counter.most_common(MAX_VALUES)]
        for name, counter in counts.items()
    }


def draw_timeline(hits: Sequence[Hit]) -> Timeline | None:
    """Count by time, in the finest steps that make at most `MAX_BARS`; None where nothing was found."""
    times = [hit.post.received_us for hit in hits]
    if not times:
        return None
    first, last = min(times), max(times)
    fitting = (step for step in _STEPS_US if last // step - first // step < MAX_BARS)
    step_us = next(fitting, last - first + 1)
    start = first // step_us
    counts = [0] * (last // step_us - start + 1)
    for time_us in times:
        counts[time_us // step_us - start] += 1
    return Timeline(from_us=start * step_us, step_us=step_us, counts=counts)
