"""How often each term was used in each half hour, and how steeply now stands above it; integers, no ids.

The past counts posts, the present voices: a term that one account has repeated all week needs more voices.
Memory: a closed half hour keeps its `KEPT_TERMS` commonest terms, for `PAST_DAYS`: at most 672 x 1,000
numbers, some 60 MB. What is left out counts as never used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from hubbub.units import US_PER_DAY, US_PER_MINUTE

WINDOW_US = 30 * US_PER_MINUTE
PAST_DAYS = 14
HALF_LIFE_DAYS = 2.0
KEPT_TERMS = 1_000
LEAST_PAST = 12
"""Half hours of a stream that must have gone by before anything is called rising: six hours."""
SMOOTHING = 1.0
"""Added to the variance, in voices squared: a term never seen before needs the square of its z in voices."""

_DECAY: float = 0.5 ** (WINDOW_US / US_PER_DAY / HALF_LIFE_DAYS)


class Past:
    """Counts of posts by half hour and term; each post is added and taken away by its own half hour."""

    def __init__(self) -> None:
        self.windows: dict[int, dict[str, int]] = {}
        self.volumes: dict[int, int] = {}

    def add(self, at_us: int, terms: Iterable[str]) -> None:
        """Count one post."""
        window = at_us // WINDOW_US
        counts = self.windows.setdefault(window, {})
        for term in terms:
            counts[term] = counts.get(term, 0) + 1
        self.volumes[window] = self.volumes.get(window, 0) + 1

    def remove(self, at_us: int, terms: Iterable[str]) -> None:
        """Take one post away that was added before."""
        window = at_us // WINDOW_US
        counts = self.windows.get(window, {})
        for term in terms:
            if counts.get(term, 0) > 1:
                counts[term] -= 1
            else:
                counts.pop(term, None)
        if self.volumes.get(window, 0) > 1:
            self.volumes[window] -= 1
        else:
            self.volumes.pop(window, None)
            self.windows.pop(window, None)

    def close(self, before_us: int) -> None:
        """Keep only the commonest terms of half hours before `before_us`, and none older than the past."""
        last = before_us // WINDOW_US
        for window in [w for w in self.windows if w < last]:
            if window < last - PAST_DAYS * US_PER_DAY // WINDOW_US:
                del self.windows[window], self.volumes[window]
            elif len(counts := self.windows[window]) > KEPT_TERMS:
                best = sorted(counts, key=lambda term: (-counts[term], term))[:KEPT_TERMS]
                self.windows[window] = {term: counts[term] for term in best}

    def curve(self, term: str, end_us: int, num_windows: int) -> tuple[int, ...]:
        """Return how many posts used a term in each half hour up to the one of `end_us`, oldest first."""
        last = end_us // WINDOW_US
        return tuple(
            self.windows.get(window, {}).get(term, 0) for window in range(last - num_windows + 1, last + 1)
        )

    def weigh(self, end_us: int) -> Weights:
        """Prepare to score terms in the half hour that ends at `end_us`."""
        return Weights(self, end_us)


class Weights:
    """The past as seen from one moment: each half hour with what it weighs."""

    def __init__(self, past: Past, end_us: int) -> None:
        last = (end_us - WINDOW_US) // WINDOW_US  # the half hour that the present began in is no past
        first = last - PAST_DAYS * US_PER_DAY // WINDOW_US
        self._windows = [
            (_DECAY ** (last - window), past.windows[window])
            for window in sorted(past.windows)
            if first <= window < last
        ]
        self._total = sum(weight for weight, _ in self._windows)
        volumes = [(_DECAY ** (last - w), past.volumes[w]) for w in past.volumes if first <= w < last]
        self.volume = sum(weight * volume for weight, volume in volumes) / (self._total or 1.0)

    @property
    def is_enough(self) -> bool:
        """Whether there is past enough to stand out from."""
        return len(self._windows) >= LEAST_PAST

    def score(self, term: str, num_voices: int, volume: int) -> float:
        """Return how many standard deviations `num_voices` stand above the term's past, 0 if below it.

        A z-score over an exponentially decayed mean and variance, as SigniTrend's (Schubert, Weiler and
        Kriegel, KDD 2014, eq. 4); the mean is scaled to the stream's `volume` now, and the variance is at
        least that of a Poisson count with that mean, for terms too rare to have a variance of their own.
        """
        return self.pooled([term], num_voices, volume)

    def pooled(self, terms: Iterable[str], num_voices: int, volume: int) -> float:
        """Return the same for voices that use any of these terms; their pasts are added up.

        That is more than their common past, for posts that used two of them are counted twice.
        """
        moments = [self._moments(term, volume) for term in terms]
        mean, variance = (sum(part) for part in zip(*moments, strict=True))
        above: float = (num_voices - mean) / math.sqrt(variance + SMOOTHING)
        return max(0.0, above)

    def _moments(self, term: str, volume: int) -> tuple[float, float]:
        mean = square = 0.0
        for weight, counts in self._windows:
            count = counts.get(term)
            if count:
                mean += weight * count
                square += weight * count * count
        mean /= self._total
        spread = max(0.0, square / self._total - mean * mean)
        scale = volume / self.volume if self.volume else 1.0
        return scale * mean, max(scale * mean, scale * scale * spread)
