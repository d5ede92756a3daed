"""Small sketches of texts that tell near-duplicates, and the count of independent voices; it keeps no text.

One permutation hashing (Li, Owen and Zhang, NIPS 2012): each pair of neighbouring words falls into one of 16
bins by its hash, and each bin keeps its least. A sketch depends on its own text alone, so that taking a post
away leaves all others as they were.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias

Sketch: TypeAlias = tuple[int, ...]
"""The least hash of each bin that is not empty; the upper four bits of a hash are its bin."""

SAME_SHARE = 0.6
SAME_CONTAINED = 0.8
MIN_CONTAINED = 4
"""Two texts are one if so many of the bins agree, or of the shorter text's. Of random texts of 8 to 25 words
a hundredth are taken for one at a Jaccard of .3, three quarters at .6 (where the assistant's voices draw the
line), all at .8."""


def sketch(words: Sequence[str]) -> Sketch:
    """Return the sketch of a text's folded words; two texts of the same words have the same."""
    numbers = [_number(word) for word in words]
    least: dict[int, int] = {}
    for left, right in zip(numbers, numbers[1:] or numbers, strict=False):
        number = (left * 0x9E3779B1 + right * 0x85EBCA6B) & 0xFFFFFFFF  # two odd constants of other hashes
        place = number >> 28
        if number < least.get(place, 1 << 32):
            least[place] = number
    return tuple(sorted(least.values()))


@lru_cache(maxsize=65_536)
def _number(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "surrogatepass"))


def count_voices(said: Iterable[tuple[str, Sketch]]) -> int:
    """Count independent voices among (author, sketch), oldest first: the lesser of authors and of texts."""
    authors: set[str] = set()
    holders: dict[int, list[int]] = {}
    sizes: list[int] = []
    for author, marks in said:
        authors.add(author)
        shared = Counter(place for mark in marks for place in holders.get(mark, ()))
        if any(_is_same(count, len(marks), sizes[place]) for place, count in shared.items()):
            continue
        for mark in marks:
            holders.setdefault(mark, []).append(len(sizes))
        sizes.append(len(marks))
    return min(len(authors), len(sizes))


def _is_same(shared: int, size: int, other: int) -> bool:
    least, most = min(size, other), max(size, other)
    return shared >= SAME_SHARE * most or (least >= MIN_CONTAINED and shared >= SAME_CONTAINED * least)
