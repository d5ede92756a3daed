"""Which terms stand out of their own past in one half hour; it groups and shows nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from hubbub.trends.held import HeldPosts
from hubbub.trends.past import WINDOW_US
from hubbub.trends.sketch import count_voices

MIN_VOICES = 5
"""Independent voices in half an hour without which nothing rises."""
MIN_SCORE = 5.0
"""Standard deviations; benchmarks/trends.py shows what other floors would find and miss."""


class Burst(msgspec.Struct, frozen=True):
    """One term at one moment."""

    term: str
    end_us: int
    score: float

    def fade(self, share: float) -> Burst:
        """Return it with its score lessened."""
        return Burst(self.term, self.end_us, self.score * share)


class Bursts:
    """The half hour that ends at one moment."""

    def __init__(self, held: HeldPosts, end_us: int, min_score: float, min_voices: int) -> None:
        self._held = held
        self._end_us = end_us
        self._min_score, self._min_voices = min_score, min_voices

    def find(self) -> Iterator[Burst]:
        """Yield the terms that stand out; voices are counted only where the posts would be enough."""
        posts = self._held.between(self._end_us - WINDOW_US, self._end_us)
        counts = Counter(term for post in posts for term in post.terms)
        often = [term for term, count in counts.items() if count >= self._min_voices]
        past = self._held.past.weigh(self._end_us)
        if not often or not past.is_enough:
            return
        for term in often:
            if past.score(term, counts[term], len(posts)) < self._min_score:
                continue
            voices = count_voices((post.author, post.marks) for post in posts if term in post.terms)
            score = past.score(term, voices, len(posts)) if voices >= self._min_voices else 0.0
            if score >= self._min_score:
                yield Burst(term, self._end_us, score)
