"""Which terms stand out of their own past in one half hour; it groups and shows nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from hubbub.trends.held import Held, HeldPosts
from hubbub.trends.past import WINDOW_US, Weights
from hubbub.trends.sketch import count_voices

MIN_VOICES = 5
"""Independent voices in half an hour without which nothing rises."""
WEAK_VOICES = 3
WEAK_SCORE = 2.5
"""Terms from here on count together with those they share posts with."""
SHARED = 0.4
"""Of the posts of the rarer of two terms, so many must carry both for them to be one story."""
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
        past = self._held.past.weigh(self._end_us)
        if not past.is_enough:
            return
        weak: dict[str, float] = {}
        for term, count in counts.items():
            if count >= WEAK_VOICES and (score := past.score(term, count, len(posts))) >= WEAK_SCORE:
                weak[term] = score
        carriers: dict[str, list[Held]] = {term: [] for term in weak}
        for post in posts:
            for term in weak.keys() & post.terms:
                carriers[term].append(post)
        for group in _together(weak, carriers):
            yield from self._rise(group, carriers, past, len(posts))

    def _rise(
        self, group: list[str], carriers: dict[str, list[Held]], past: Weights, volume: int
    ) -> Iterator[Burst]:
        alone = [self._score([term], carriers, past, volume) for term in group]
        rising = [(term, score) for term, score in zip(group, alone, strict=True) if score]
        if not rising and len(group) > 1:
            score = self._score(group, carriers, past, volume)
            rising = [(term, score) for term in group]
        for term, score in rising:
            if score:
                yield Burst(term, self._end_us, score)

    def _score(self, terms: list[str], carriers: dict[str, list[Held]], past: Weights, volume: int) -> float:
        """Return how far these terms stand out together, 0 where a floor is not met."""
        posts = {(post.at_us, post.id): post for term in terms for post in carriers[term]}
        if len(posts) < self._min_voices or past.pooled(terms, len(posts), volume) < self._min_score:
            return 0.0
        voices = count_voices((post.author, post.marks) for _, post in sorted(posts.items()))
        score = past.pooled(terms, voices, volume) if voices >= self._min_voices else 0.0
        return score if score >= self._min_score else 0.0


def _together(weak: dict[str, float], carriers: dict[str, list[Held]]) -> list[list[str]]:
    """Group terms with the steeper ones that they share posts with."""
    groups: list[list[str]] = []
    ids = {term: {post.id for post in posts} for term, posts in carriers.items()}
    for term in sorted(weak, key=lambda term: (-weak[term], -len(term), term)):
        for group in groups:
            lead = ids[group[0]]
            if len(lead & ids[term]) >= SHARED * min(len(lead), len(ids[term])):
                group.append(term)
                break
        else:
            groups.append([term])
    return groups
