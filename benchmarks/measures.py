"""Measures of a ranked list against graded judgements; unjudged counts as not relevant."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def average_precision(found: Sequence[int], grades: Mapping[int, int]) -> float:
    """Return the mean, over all relevant posts, of the precision at each one's rank (0 where not found)."""
    hits, total = 0, 0.0
    for rank, post in enumerate(found, 1):
        if grades.get(post, 0) > 0:
            hits += 1
            total += hits / rank
    return total / sum(grade > 0 for grade in grades.values())


def precision(found: Sequence[int], grades: Mapping[int, int], depth: int) -> float:
    """Return the share of relevant posts among the first `depth`; a short list counts as if filled."""
    return sum(grades.get(post, 0) > 0 for post in found[:depth]) / depth


def ndcg(found: Sequence[int], grades: Mapping[int, int], depth: int) -> float:
    """Return the discounted gain (2 ** grade - 1) / log2(rank + 1), as a share of the best possible."""
    ideal = sorted((grade for grade in grades.values() if grade > 0), reverse=True)
    return _gain([grades.get(post, 0) for post in found[:depth]]) / _gain(ideal[:depth])


def _gain(grades: Sequence[int]) -> float:
    return sum((2 ** max(grade, 0) - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, 1))
