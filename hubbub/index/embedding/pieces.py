"""Cut texts into known words and pieces of words, greedily, remembering what was cut; it holds no vectors."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hubbub.index.tokenize import MAX_TEXT, hashtag_parts, words

MAX_PIECES = 256
"""Pieces of one text that are read: what follows hardly moves a mean."""
_MAX_CACHED = 100_000  # entries a generation, two are kept
_TAG = re.compile(r"(?<![\w&])[#\uff03]\w+")


class Pieces:
    """A vocabulary of whole words and of continuations (marked `##`, as in BERT's WordPiece)."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._ids = {name: number for number, name in enumerate(self.names)}
        self._longest = max(map(len, self.names), default=0)
        self._young: dict[str, tuple[int, ...]] = {}
        self._old: dict[str, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: str) -> bool:
        return name in self._ids

    def ids(self, text: str) -> list[int]:
        """Return the numbers of the pieces of a text in order; words with an unknown letter are left out."""
        found: list[int] = []
        for chunk in text[:MAX_TEXT].split():
            known = self._young.get(chunk)
            if known is None:
                known = self._old.get(chunk)
                known = self._young[chunk] = self._cut_chunk(chunk) if known is None else known
            found += known
            if len(found) > MAX_PIECES:
                break
        if len(self._young) > _MAX_CACHED:
            self._young, self._old = {}, self._young
        return found[:MAX_PIECES]

    def flat(self, texts: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the piece numbers of all texts in one row, and how many each text has."""
        found = [self.ids(text) for text in texts]
        lengths = np.fromiter(map(len, found), np.intp, len(found))
        return np.fromiter((i for ids in found for i in ids), np.intp, int(lengths.sum())), lengths

    def _cut_chunk(self, chunk: str) -> tuple[int, ...]:
        spelled = _TAG.sub(lambda tag: f" {hashtag_parts(tag[0][1:])} ", chunk) if "#" in chunk else chunk
        return tuple(number for word in words(spelled) for number in self._cut(word))

    def _cut(self, word: str) -> list[int]:
        whole = self._ids.get(word)
        if whole is not None:
            return [whole]
        found: list[int] = []
        start, mark = 0, ""
        while start < len(word):
            for end in range(min(len(word), start + self._longest), start, -1):
                number = self._ids.get(mark + word[start:end])
                if number is not None:
                    break
            else:
                return []
            found.append(number)
            start, mark = end, "##"
        return found
