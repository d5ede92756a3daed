"""Keeps evaluation texts out of a corpus: no collected post shares eight words in a row with one.

Thirteen words, the custom for web pages, hardly ever match between posts of twenty.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hubbub.corpus.words import Words, digests, read_words, runs_of

RUN_WORDS = 8


class Evaluation:
    """What evaluation texts say; shorter ones count as a whole."""

    def __init__(self, texts: Sequence[str]) -> None:
        words = read_words(texts)
        self._runs = np.unique(runs_of(words, RUN_WORDS)[0])
        lengths = np.diff(words.starts)
        self._short = np.unique(digests(words)[(lengths > 0) & (lengths < RUN_WORDS)])

    def is_in(self, words: Words) -> NDArray[np.bool_]:
        """Tell for each post whether it must stay out."""
        found = np.zeros(len(words.starts) - 1, bool)
        if len(self._runs):
            runs, texts = runs_of(words, RUN_WORDS)
            found[texts[_is_among(runs, self._runs)]] = True
        if len(self._short):
            found |= _is_among(digests(words), self._short)
        return found


def _is_among(values: NDArray[np.uint64], known: NDArray[np.uint64]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = known[np.minimum(np.searchsorted(known, values), len(known) - 1)] == values
    return found
