"""Newest first: by filters alone, or among those that match the words well."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hubbub.index.backend import Backend
from hubbub.index.document import Key
from hubbub.index.plan import Plan
from hubbub.units import US_PER_DAY, US_PER_HOUR

# Windows before now that are searched in turn until one holds enough; each about six times the one before.
_WINDOWS_US: Sequence[int | None] = (US_PER_HOUR, 6 * US_PER_HOUR, 36 * US_PER_HOUR, 9 * US_PER_DAY, None)
_GOOD = 0.5
"""Share of the best score that a match must reach: with rare words missing, a post is not about the query."""
_DEPTH = 200


def newest_matches(backend: Backend, plan: Plan, limit: int) -> list[tuple[Key, float]]:
    """Return the newest posts that pass the filters; the score is the received time."""
    found = backend.newest(msgspec.structs.replace(plan, depth=limit))
    return [(key, float(received_us)) for key, received_us in found]


def relevant_recent(backend: Backend, plan: Plan, limit: int, now_us: int) -> dict[Key, float]:
    """Return at least `limit` posts, if there are, that match half as well as the best; scores are BM25.

    Windows of time widen until one holds enough, so the newest of them are the newest of all.
    """
    plan = msgspec.structs.replace(plan, vector=None, recent_us=None, depth=max(_DEPTH, 2 * limit))
    best = max(backend.search(plan).lexical.values(), default=0.0)
    good: dict[Key, float] = {}
    for window_us in _WINDOWS_US:
        since = plan.from_us if window_us is None else max(now_us - window_us, plan.from_us or 0)
        found = backend.search(msgspec.structs.replace(plan, from_us=since)).lexical
        good = {key: score for key, score in found.items() if score >= _GOOD * best}
        if len(good) >= limit:
            break
    return good
