"""Collapses reposts and near-duplicates into one voice; agreement in substance is not its matter."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from hubbub.assistant.wordforms import words
from hubbub.posts import Post

SAME_JACCARD = 0.6
"""Share of common word pairs from which on two texts are one; by reading pairs of real posts."""
SAME_CONTAINED = 0.8
"""The same as a share of the shorter text: feeds cut one headline at different lengths."""
_MIN_PAIRS_CONTAINED = 4
_HEAD = re.compile(r"^(?:\s*(?:rt\b|@[\w.]+:?))+", re.IGNORECASE)


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """Posts that say the same in the same words: one voice, however many repeat it."""

    posts: tuple[Post, ...]
    """Oldest first."""
    score: float
    """The best relevance among them, 0 to 1."""
    words: tuple[str, ...]
    """Folded words of one of them, without the mark of a repost."""

    @property
    def authors(self) -> frozenset[str]:
        """All who posted it."""
        return frozenset(post.author for post in self.posts)


def collapse(posts: Sequence[Post], scores: Sequence[float]) -> list[Voice]:
    """Group posts that are equal or nearly equal, best score first.

    Compares only texts that share a pair of words: a few ms for 200.
    """
    groups: dict[bytes, list[int]] = {}
    texts: dict[bytes, tuple[str, ...]] = {}
    for place, post in enumerate(posts):
        plain = words(_HEAD.sub("", post.text))
        key = hashlib.blake2b(" ".join(plain).encode("utf-8", "replace"), digest_size=16).digest()
        groups.setdefault(key, []).append(place)
        texts.setdefault(key, plain)
    keys = list(groups)
    leaders = _leaders([texts[key] for key in keys])
    merged: dict[int, list[int]] = {}
    for key, leader in zip(keys, leaders, strict=True):
        merged.setdefault(leader, []).extend(groups[key])
    voices = [
        _voice([posts[i] for i in places], max(scores[i] for i in places), texts[keys[leader]])
        for leader, places in merged.items()
    ]
    return sorted(voices, key=lambda voice: -voice.score)


def count_voices(voices: Sequence[Voice]) -> int:
    """Count independent voices: neither one author twice, nor one text twice."""
    authors = {author for voice in voices for author in voice.authors}
    return min(len(voices), len(authors))


def _voice(posts: list[Post], score: float, plain: tuple[str, ...]) -> Voice:
    return Voice(
        posts=tuple(sorted(posts, key=lambda post: (post.received_us, post.id))), score=score, words=plain
    )


def _leaders(texts: list[tuple[str, ...]]) -> list[int]:
    """For each text the first one that it is a near-duplicate of, itself if none."""
    holders: dict[tuple[str, str], list[int]] = {}
    sizes: list[int] = []
    leaders: list[int] = []
    for place, text in enumerate(texts):
        pairs = set(zip(text, (*text[1:], ""), strict=True)) if text else set()
        shared = Counter(other for pair in pairs for other in holders.get(pair, ()))
        sizes.append(len(pairs))
        same = [other for other, count in shared.items() if _is_same(count, len(pairs), sizes[other])]
        leaders.append(leaders[min(same)] if same else place)
        for pair in pairs:
            holders.setdefault(pair, []).append(place)
    return leaders


def _is_same(shared: int, size: int, other: int) -> bool:
    smaller = min(size, other)
    return shared >= SAME_JACCARD * (size + other - shared) or (
        smaller >= _MIN_PAIRS_CONTAINED and shared >= SAME_CONTAINED * smaller
    )
