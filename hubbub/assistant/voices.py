"""Collapses reposts and near-duplicates into one voice; agreement in substance is not its matter."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain

import msgspec

from hubbub.assistant.wordforms import words
from hubbub.posts import Post

SAME_JACCARD = 0.6
"""Share of common word pairs from which on two texts are one; by reading pairs of real posts."""
SAME_CONTAINED = 0.8
"""The same as a share of the shorter text: feeds cut one headline at different lengths."""
_MIN_PAIRS_CONTAINED = 4
_TURNS = frozenset("not no never nicht kein keine nie false fake hoax falsch falschmeldung".split())
_HEAD = re.compile(r"^(?:\s*(?:rt\b|@[\w.]+:?))+", re.IGNORECASE)


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """Posts that say the same in the same words: one voice, however many repeat it."""

    posts: tuple[Post, ...]
    """Oldest first; of one author's updates only the newest."""
    score: float
    """The best relevance among them, 0 to 1."""
    words: tuple[str, ...]
    """Folded words of one of them, without the mark of a repost."""

    @property
    def is_automatic(self) -> bool:
        """Whether nobody but programs says it: a source, but no independent voice."""
        return all(post.is_bot for post in self.posts)

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
    authors = [frozenset(posts[place].author for place in groups[key]) for key in keys]
    leaders = _leaders([texts[key] for key in keys], authors)
    merged: dict[int, list[int]] = {}
    for key, leader in zip(keys, leaders, strict=True):
        merged.setdefault(leader, []).extend(groups[key])
    voices = [
        _voice([posts[i] for i in places], max(scores[i] for i in places), texts[keys[leader]])
        for leader, places in merged.items()
    ]
    return sorted(voices, key=lambda voice: -voice.score)


def count_voices(voices: Sequence[Voice]) -> int:
    """Count independent voices: neither one author twice, nor one text twice, nor a program."""
    people = [voice.authors for voice in voices if not voice.is_automatic]
    return min(len(people), len(frozenset().union(*people)))


def _voice(posts: list[Post], score: float, plain: tuple[str, ...]) -> Voice:
    ordered = sorted(posts, key=lambda post: (post.received_us, post.id))
    last = {post.author: post for post in ordered}
    # what an author said before in other words or figures is overtaken; a plain repetition is not
    stand = [post for post in ordered if post.text == last[post.author].text]
    return Voice(posts=tuple(stand), score=score, words=plain)


def _leaders(texts: list[tuple[str, ...]], authors: list[frozenset[str]]) -> list[int]:
    """For each text the first one that it is a near-duplicate of, itself if none."""
    holders: dict[tuple[str, str], list[int]] = {}
    sizes: list[int] = []
    figures: list[frozenset[str]] = []
    turns: list[frozenset[str]] = []
    leaders: list[int] = []
    for place, text in enumerate(texts):
        pairs = set(zip(text, text[1:], strict=False)) or {(word, "") for word in text[:1]}
        shared = Counter(chain.from_iterable(holders.get(pair, ()) for pair in pairs))
        sizes.append(len(pairs))
        figures.append(frozenset(word for word in text if word[0].isdigit()))
        turns.append(_TURNS.intersection(text))
        same = [
            other
            for other, count in shared.items()
            # "broken" and "not broken", 80 and 120 people by different authors are two voices
            if turns[place] == turns[other]
            and _is_same(count, len(pairs), sizes[other])
            and (
                figures[place] <= figures[other]
                or figures[place] > figures[other]
                or authors[place] & authors[other]
            )
        ]
        leaders.append(leaders[min(same)] if same else place)
        for pair in pairs:
            holders.setdefault(pair, []).append(place)
    return leaders


def _is_same(shared: int, size: int, other: int) -> bool:
    smaller = min(size, other)
    return shared >= SAME_JACCARD * (size + other - shared) or (
        smaller >= _MIN_PAIRS_CONTAINED and shared >= SAME_CONTAINED * smaller
    )
