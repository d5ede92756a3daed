"""How what the legs found becomes one order: z-scores, summed, and recency; the same for all backends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from hubbub.index.backend import Legs
from hubbub.index.document import Key
from hubbub.posts import Post
from hubbub.units import US_PER_DAY

_UNFOUND = 0.5
"""BM25 of a post that likeness alone found, as a share of the lowest that words found: it has few of the
words or none. 1 loses half a point R@5 on TweetQA, 0 one point MAP on TREC (decision 030)."""

_LIKE = 0.3
"""Cosine that a post without any of the words must reach: 19 of 20 pairs of query and other post on TREC
Microblog do not, 9 of 10 relevant posts do."""
_ALONE_LIKE = 0.5
"""The same where no post has any of the words: 99.8 of 100 other posts do not reach it."""
_PLACES = 4
"""Decimal places of a leg's score that count: the engine adds 32-bit floats in an order of its own, so that
equal posts differ by some 1e-6 and, unrounded, a query would be widened by others after each start."""


class Ranking(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of relevance; tuned on TREC Microblog 2011 and flat around the defaults (decision 030)."""

    lexical: float = 1.0
    """Weight of words (BM25)."""
    dense: float = 0.3
    """Weight of likeness (cosine of the static table); its vectors know less than words do."""
    recency: float = 0.2
    """What a post of this very moment gains, in standard deviations of the candidates' scores."""
    half_life_us: int = US_PER_DAY
    """After this long a post gains half as much."""
    feedback_posts: int = 5
    """Posts of a first search that widen the second; 0 = search once."""
    feedback_terms: int = 12
    """As good as 20 (MAP 2011 .542 for .541, 2012 .395 for .393) and a third cheaper at 1M posts."""
    feedback_share: float = 0.5
    """Share of their terms in the widened query."""
    feedback_pull: float = 1.0
    """Weight of their mean vector beside the query's own."""


def plausible(legs: Legs) -> Legs:
    """Leave out what likeness alone found and is not like the query at all: nearest is not always near."""
    floor = _LIKE if legs.lexical else _ALONE_LIKE
    dense = {key: cosine for key, cosine in legs.dense.items() if cosine >= floor or key in legs.lexical}
    return Legs(lexical=legs.lexical, recent=legs.recent, dense=dense)


def fuse(legs: Legs, ranking: Ranking) -> dict[Key, float]:
    """Return one score a candidate: the weighted sum of its legs' z-scores.

    A candidate that a leg did not return cannot be above the lowest score of that leg; for words it is taken
    to be well below. Sums beat reciprocal ranks where one leg is weak (reference/models.md, section 4).
    """
    keys = list(legs.lexical | legs.dense)
    late = [key for key in legs.recent if key not in legs.lexical and key not in legs.dense]
    lexical = _standard({**legs.recent, **legs.lexical}, keys, late, _UNFOUND * _lowest(legs.lexical))
    dense = _standard(legs.dense, keys, late, _lowest(legs.dense))
    scores = ranking.lexical * lexical + ranking.dense * dense
    return dict(zip(keys + late, scores.tolist(), strict=True))


def contenders(scores: Mapping[Key, float], limit: int, recency: float) -> list[Key]:
    """Return the candidates that recency can still lift among the best `limit`, best first, then by key."""
    ranked = sorted(scores, key=lambda key: (-scores[key], key))
    if len(ranked) <= limit:
        return ranked
    floor = scores[ranked[limit - 1]] - abs(recency)
    return [key for key in ranked if scores[key] >= floor]


def order(
    found: Mapping[Key, Post], scores: Mapping[Key, float], now_us: int, recency: float, half_life_us: int
) -> list[tuple[Key, float]]:
    """Return keys and final scores (0 to 1), best first; equal scores go newest first, then by key."""
    keys = list(found)
    received_us = np.array([found[key].received_us for key in keys], np.float64)
    age_us = np.clip(now_us - received_us, 0, None)
    final = np.array([scores[key] for key in keys]) + recency * 2.0 ** (-age_us / half_life_us)
    ranked = sorted(range(len(keys)), key=lambda row: (-final[row], -received_us[row], keys[row]))
    # The logistic function, written so that nothing overflows far from zero.
    scaled = (0.5 + 0.5 * np.tanh(final / 2)).tolist()
    return [(keys[row], scaled[row]) for row in ranked]


def _lowest(leg: Mapping[Key, float]) -> float:
    return min(leg.values(), default=0.0)


def _standard(
    leg: Mapping[Key, float], keys: Sequence[Key], late: Sequence[Key], missing: float
) -> NDArray[np.float64]:
    """Scale by mean and deviation of `keys`; the latecomers are scaled alike but do not shift the scale."""
    scores = np.array([leg.get(key, missing) for key in [*keys, *late]], np.float64).round(_PLACES)
    scale = scores[: len(keys)] if keys else scores
    if not len(scale):
        return scores
    spread = float(scale.std())
    standard: NDArray[np.float64] = (scores - scale.mean()) / (spread if spread > 10.0**-_PLACES else 1.0)
    return standard
