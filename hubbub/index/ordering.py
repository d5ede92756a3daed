"""Order candidates by words, likeness and recency."""

from __future__ import annotations

import numpy as np

from hubbub.index.candidates import Candidates
from hubbub.index.query import Query
from hubbub.units import US_PER_DAY

# reference/engines.md, design sketch: (bm25 / (bm25 + 8) + w cosine) (1 + a 2 ** (-age / 1 day)).
_HALF_BM25 = 8.0
_DENSE = 0.5
_RECENCY = 0.3


def order(query: Query, candidates: Candidates, now_us: int) -> list[tuple[int, float]]:
    """Return row and score of every candidate, best first; equal scores go newest first."""
    if not len(candidates):
        return []
    recency = _RECENCY if query.recency is None else query.recency
    age_us = np.clip(now_us - candidates.received_us, 0, None)
    match = candidates.lexical / (candidates.lexical + _HALF_BM25) + _DENSE * candidates.dense
    scores = match * (1 + recency * 2.0 ** (-age_us / US_PER_DAY))
    rows = np.lexsort((-candidates.received_us, -scores))
    return [(int(row), float(scores[row])) for row in rows]
