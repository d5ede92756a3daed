"""Which cleaned posts are worth learning from: rules for twenty words, not for web pages.

The web's own rules (fifty words, five sentences, lines that end in a full stop) drop every post.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hubbub.corpus.settings import CorpusSettings
from hubbub.corpus.words import Words, distinct

REASONS = ("no words", "too short", "too few letters", "too many hashtags", "repeats itself")
_REPETITIVE_WORDS = 8
"""Shorter posts may repeat themselves: "no no no"."""
_MIN_DIFFERENT = 0.35
"""Share of different words: of 187,000 real posts 7 have less, all of them spam or screams."""


def judge(
    texts: Sequence[str], words: Words, is_reply: NDArray[np.bool_], settings: CorpusSettings
) -> NDArray[np.int8]:
    """Return for each post the first of REASONS that it falls under, counted from 1; 0: it is kept."""
    counts = np.diff(words.starts)
    hashtags = np.fromiter((text.count("#") for text in texts), np.int64, len(texts))
    conditions = [
        words.num_letters == 0,
        (counts < settings.min_words) & ~is_reply,
        words.num_letters < settings.min_letters * words.num_visible,
        hashtags > settings.max_hashtags,
        (counts >= _REPETITIVE_WORDS) & (count_different(words) < _MIN_DIFFERENT * counts),
    ]
    return np.select(conditions, np.arange(1, len(conditions) + 1, dtype=np.int8), np.int8(0))


def count_different(words: Words) -> NDArray[np.int64]:
    """Count the different words of each text."""
    text = np.repeat(np.arange(len(words.starts) - 1, dtype=np.uint64), np.diff(words.starts))
    # The text's number on top of 40 bits of hash: one sort for all.
    tagged = distinct((text << np.uint64(40)) | (words.hashes >> np.uint64(24)))
    return np.bincount((tagged >> np.uint64(40)).astype(np.int64), minlength=len(words.starts) - 1)
