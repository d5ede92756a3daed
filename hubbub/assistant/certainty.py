"""How surely the best of what a search found answers a question for one thing; it searches nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from hubbub.assistant.intents import Intent
from hubbub.index.query import Hit
from hubbub.posts import Post

Certainty: TypeAlias = Literal["sure", "perhaps", "hardly", "unknown"]
"""Of few candidates, or where all are alike, nothing is known: none of them stands out."""

_FOR_ONE = frozenset(("said", "who", "when", "where", "number", "why", "what", "check"))
_FEW, _FLAT, _MANY = 30, 2.5, 100
"""Hits that are too few to tell; a height that tells nothing either, unless there are many."""
_NEAR = 0.999_999_999


def is_for_one_answer(intent: Intent) -> bool:
    """Tell whether one post can answer, instead of what many say together."""
    return intent in _FOR_ONE


def standing(hits: Sequence[Hit]) -> list[float]:
    """Return how many standard deviations each hit stands above the mean of all that were considered.

    An index scores by the logistic function of just that (`hubbub.index.ranking.order`).
    """
    return [2.0 * math.atanh(max(min(2.0 * hit.score - 1.0, _NEAR), -_NEAR)) for hit in hits]


def weigh_up(
    intent: Intent, hits: Sequence[Hit], heights: Sequence[float], share: Callable[[Post], float]
) -> Certainty:
    """Judge the best hit by how far it stands out, its lead, and the share of the topic that it names.

    The weights are a logistic regression on the half of `benchmarks.citation_quality` that is tuned on.
    """
    if len(hits) < _FEW or (heights[0] < _FLAT and len(hits) < _MANY):
        return "unknown"
    lead, named = heights[0] - heights[1], share(hits[0].post)
    if intent == "check":
        value = -5.3 + 0.6 * heights[0] + 0.35 * lead + 2.8 * named
        return _judge(value, sure=0.5, perhaps=-1.5)
    value = -4.9 + 0.18 * heights[0] + 0.62 * lead + 3.9 * named
    return _judge(value, sure=1.0, perhaps=-1.0)


def _judge(value: float, *, sure: float, perhaps: float) -> Certainty:
    return "sure" if value > sure else "perhaps" if value > perhaps else "hardly"
