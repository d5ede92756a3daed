"""Cut texts into known words and pieces of words, greedily, remembering what was cut; it holds no vectors."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hubbub.index.chunks import LINKS, PLAIN_ENDS
from hubbub.index.folding import fold
from hubbub.index.tokenize import MAX_TEXT, hashtag_parts, words

MAX_PIECES = 256
"""Pieces of one text that are read: what follows hardly moves a mean."""
_MAX_CACHED = 100_000  # entries a generation, two are kept
_NUMBER_BYTES = 4
_HEAD = 3
_TAG = re.compile(r"(?<![\w&])[#\uff03]\w+")


class Pieces:
    """A vocabulary of whole words and of continuations (marked `##`, as in BERT's WordPiece)."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._ids = {name: number for number, name in enumerate(self.names)}
        self._reach: dict[str, int] = {}  # by how a piece begins: the length of the longest that begins so
        for name in self.names:
            mark = "##" if name.startswith("##") else ""
            head = name[: len(mark) + _HEAD]
            self._reach[head] = max(self._reach.get(head, _HEAD), len(name) - len(mark))
        self._young: dict[str, bytes] = {}
        self._old: dict[str, bytes] = {}

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: str) -> bool:
        return name in self._ids

    def ids(self, text: str) -> list[int]:
        """Return the numbers of the pieces of a text in order; words with an unknown letter are left out."""
        numbers: list[int] = np.frombuffer(self._packed(text), np.int32).tolist()
        return numbers

    def flat(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Return the piece numbers of all texts in one row, and how many each text has."""
        found = [*map(self._packed, texts)]
        lengths = np.fromiter(map(len, found), np.intp, len(found)) // _NUMBER_BYTES
        return np.frombuffer(b"".join(found), np.int32), lengths

    def _packed(self, text: str) -> bytes:
        """Return piece numbers as 32-bit integers: joining bytes costs a fifth of adding up tuples."""
        chunks = text[:MAX_TEXT].split()[:MAX_PIECES]
        found = [*map(self._young.get, chunks)]
        while None in found:
            place = found.index(None)
            found[place] = self._meet(chunks[place])
        return b"".join(cast("list[bytes]", found))[: MAX_PIECES * _NUMBER_BYTES]

    def _meet(self, chunk: str) -> bytes:
        if chunk.startswith(LINKS):
            return b""
        known = self._young.get(chunk, self._old.get(chunk))
        if known is None:
            known = array("i", self._cut_chunk(chunk)).tobytes()
        if len(self._young) >= _MAX_CACHED:
            self._young, self._old = {}, self._young
        self._young[chunk] = known
        return known

    def _cut_chunk(self, chunk: str) -> list[int]:
        bare = chunk.strip(PLAIN_ENDS)
        if bare.isascii() and bare.isalnum():
            return self._cut(fold(bare))
        spelled = _TAG.sub(lambda tag: f" {hashtag_parts(tag[0][1:])} ", chunk) if "#" in chunk else chunk
        return [number for word in words(spelled) for number in self._cut(word)]

    def _cut(self, word: str) -> list[int]:
        whole = self._ids.get(word)
        if whole is not None:
            return [whole]
        found: list[int] = []
        start, mark = 0, ""
        while start < len(word):
            reach = self._reach.get(mark + word[start : start + _HEAD], _HEAD)
            for end in range(min(len(word), start + reach), start, -1):
                number = self._ids.get(mark + word[start:end])
                if number is not None:
                    break
            else:
                return []
            found.append(number)
            start, mark = end, "##"
        return found
