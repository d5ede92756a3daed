"""The words of many texts at once, as 64-bit hashes: what duplicates, evaluation texts and rules look at.

A word is a run of letters, marks and digits, in lower case; an ideograph or a letter of a script without
spaces is a word of its own. It knows no language and keeps no text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
_LETTER, _DIGIT, _ALONE, _SPACE, _OTHER = range(5)
_TABLE = 0x20000
"""Code points from here on are rare ideographs."""
# Thai to Burmese, Khmer, kana, ideographs: written without spaces.
_WITHOUT_SPACES = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF))
_BASE = 0x9E3779B97F4A7C15
_TALLY = np.uint64((1 << 20) - 1)
_SHIFTS = (np.uint64(0), np.uint64(20), np.uint64(40))
"""Letters, digits and white space are counted in one number: a text has at most a million characters."""


class Words(NamedTuple):
    """The words of texts, one after the other; the words of text i are `hashes[starts[i]:starts[i + 1]]`."""

    hashes: U64
    starts: NDArray[np.int64]
    num_letters: NDArray[np.int64]
    num_digits: NDArray[np.int64]
    num_visible: NDArray[np.int64]
    """Characters that are no white space."""


def read_words(texts: Sequence[str]) -> Words:
    """Return the words of texts, in their order; give it some hundred posts at once: what fits the cache."""
    points, ends = _code_points(texts)
    raw, tables = points.astype(np.intp), _tables()  # else each of three tables converts them
    kind = tables.kinds.take(raw)
    is_word = kind <= _ALONE
    begins = is_word.copy()
    begins[1:] &= ~is_word[:-1]
    if (is_alone := kind == _ALONE).any():
        begins |= is_alone
        begins[1:] |= is_word[1:] & is_alone[:-1]
    first = np.flatnonzero(begins)
    hashes = np.zeros(0, np.uint64)
    if len(first):
        powers, inverses = _powers(1 << len(raw).bit_length())
        # Each word's polynomial, as if it began at 0; what is no word counts nothing.
        hashes = mix(np.add.reduceat(tables.chars.take(raw) * powers[: len(raw)], first) * inverses[first])
    starts = np.concatenate(([0], np.searchsorted(first, ends)))
    bounds = np.concatenate(([0], ends))
    tally = np.add.reduceat(tables.tallies.take(raw), bounds[:-1]) if len(texts) else np.zeros(0, np.uint64)
    letters, digits, spaces = ((tally >> shift & _TALLY).astype(np.int64) for shift in _SHIFTS)
    return Words(hashes, starts, letters, digits, np.diff(bounds) - spaces)


def count_digits(texts: Sequence[str]) -> list[int]:
    """Count the digits of each text, of whatever script."""
    encoded = [text.encode("utf-8", "replace") for text in texts]
    counts = [len(each) - len(each.translate(None, b"0123456789")) for each in encoded]
    foreign = [n for n, text in enumerate(texts) if not text.isascii()]
    raw, ends = _code_points([texts[n] for n in foreign])
    found = np.diff(np.cumsum(_tables().kinds[raw] == _DIGIT, dtype=np.int32)[ends - 1], prepend=0)
    for n, count in zip(foreign, found.tolist(), strict=True):
        counts[n] = count
    return counts


def _code_points(texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the code points of texts, a line feed behind each, and where each text ends behind that."""
    joined = ("\n".join(texts) + "\n" if texts else "").encode("utf-32-le", "replace")
    raw = np.frombuffer(joined, np.uint32)
    ends = np.cumsum(np.fromiter((len(text) + 1 for text in texts), np.int64, len(texts)))
    return (np.minimum(raw, _TABLE - 1) if len(raw) and raw.max() >= _TABLE else raw), ends


def mix(values: U64) -> U64:
    """Spread 64-bit numbers over all 64 bits (the finalizer of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def distinct(values: U64) -> U64:
    """Return the different values, sorted; numpy's own hashes them first, which takes three times as long."""
    values = np.sort(values)
    is_new = np.ones(len(values), bool)
    is_new[1:] = values[1:] != values[:-1]
    return values[is_new]


def runs_of(words: Words, length: int) -> tuple[U64, NDArray[np.int64]]:
    """Hash every run of `length` words within a text; return them and the number of the text of each."""
    text = np.repeat(np.arange(len(words.starts) - 1), np.diff(words.starts))
    num = max(0, len(words.hashes) - length + 1)
    total = np.zeros(num, np.uint64)
    for place in range(length):
        total = mix(total + words.hashes[place : place + num])
    is_within = text[:num] == text[length - 1 :]
    return total[is_within], text[:num][is_within]


def digests(words: Words) -> U64:
    """Hash the whole of each text's words, in order."""
    counts = np.diff(words.starts)
    place = np.arange(len(words.hashes), dtype=np.uint64) - np.repeat(words.starts[:-1], counts).astype(
        np.uint64
    )
    placed = mix(words.hashes + place * np.uint64(0x9E3779B97F4A7C15))
    sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(placed, dtype=np.uint64)))
    return mix(sums[words.starts[1:]] - sums[words.starts[:-1]] + counts.astype(np.uint64))


class _Tables(NamedTuple):
    kinds: NDArray[np.uint8]
    chars: U64
    """A random number for each letter or digit, in lower case; 0 for all else."""
    tallies: U64


@cache
def _tables() -> _Tables:
    kinds = np.full(_TABLE, _OTHER, np.uint8)
    lower = np.arange(_TABLE, dtype=np.uint64)
    for code in range(_TABLE):
        char = chr(code)
        category = unicodedata.category(char)
        if category[0] in "LM":
            kinds[code] = _LETTER
            lower[code] = ord(char.lower()[0])
        elif category[0] == "N":
            kinds[code] = _DIGIT
        elif char.isspace():
            kinds[code] = _SPACE
    for start, end in _WITHOUT_SPACES:
        part = kinds[start : end + 1]
        part[part == _LETTER] = _ALONE
    kinds[_TABLE - 1] = _ALONE
    tallies = np.array([1, 1 << 20, 1, 1 << 40, 0], np.uint64)[kinds]
    return _Tables(kinds, mix(lower + np.uint64(1)) * (kinds <= _ALONE), tallies)


@cache
def _powers(num: int) -> tuple[U64, U64]:
    inverse = pow(_BASE, -1, 1 << 64)
    return tuple(  # type: ignore[return-value]
        np.cumprod(np.concatenate((np.ones(1, np.uint64), np.full(num - 1, base, np.uint64))))
        for base in (_BASE, inverse)
    )
