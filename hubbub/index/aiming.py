"""Point a plan at the words and the meaning of a query; filters are `plan.py`'s."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from hubbub.index.embedding import Vectors
from hubbub.index.lexical import cached_id
from hubbub.index.plan import Plan
from hubbub.index.query import Query
from hubbub.index.tokenize import MAX_QUERY_TEXT, query_terms
from hubbub.language import text_language
from hubbub.units import US_PER_HOUR

DEPTH = 60
"""Candidates of each leg, twice the limit if that is more: P@30 is that of 400 (decision 030)."""
_MIN_LETTERS = 20
"""Shorter queries are too often taken for the wrong language; they reach all languages anyway."""
RECENT_US = 6 * US_PER_HOUR
"""Matches received within this long before now are candidates whatever older posts score."""


def aim(plan: Plan, query: Query, embed: Callable[[Sequence[str]], Vectors], now_us: int) -> Plan:
    """Return the plan with terms, vector and depth of the query; without words it stays a pure filter."""
    depth = max(DEPTH, 2 * query.limit)
    if not query.text.strip():
        return msgspec.structs.replace(plan, depth=depth)
    text = " ".join((query.text[:MAX_QUERY_TEXT], *query.phrases))[:MAX_QUERY_TEXT]
    weights: dict[int, float] = {}
    for term, weight in query_terms(text, query.langs or _guessed(text)).items():
        weights[cached_id(term)] = max(weight, weights.get(cached_id(term), 0.0))
    row = embed([text])[0]
    return msgspec.structs.replace(
        plan,
        term_ids=tuple(weights),
        term_weights=tuple(weights.values()),
        vector=tuple(row.tolist()) if row.any() else None,
        recent_us=now_us - RECENT_US,
        depth=depth,
    )


def _guessed(text: str) -> tuple[str, ...]:
    return (text_language(text),) if sum(map(str.isalpha, text)) >= _MIN_LETTERS else ()
