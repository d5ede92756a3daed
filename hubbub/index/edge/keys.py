"""Which keys a slice may hold: exact while it takes writes, a sorted array of prefixes once it is sealed."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hubbub.index.document import Key

PREFIX_DIGITS = 16  # 64 bits: at 1e6 posts one false hit in 1e13, and hits are checked in the engine


class KeySet(Protocol):
    """Tells which keys are worth asking the engine for."""

    def holding(self, keys: Iterable[Key]) -> list[Key]:
        """Return those of `keys` that may be in the slice; no key that is in it is left out."""
        ...


class OpenKeys:
    """The keys of a slice that takes writes."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self.keys = set(keys)

    def holding(self, keys: Iterable[Key]) -> list[Key]:
        """Return those of `keys` that are in the slice."""
        return list(self.keys.intersection(keys))


class SealedKeys:
    """The keys of a sealed slice, 8 bytes each; those deleted since stay."""

    def __init__(self, prefixes: NDArray[np.uint64]) -> None:
        self._prefixes = prefixes

    def holding(self, keys: Iterable[Key]) -> list[Key]:
        """Return those of `keys` whose prefix is in the slice."""
        asked = list(dict.fromkeys(keys))
        if not asked or not len(self._prefixes):
            return []
        numbers = _prefixes(asked)
        places = np.searchsorted(self._prefixes, numbers)
        places[places == len(self._prefixes)] = 0
        hits = self._prefixes[places] == numbers
        return [key for key, is_hit in zip(asked, hits.tolist(), strict=True) if is_hit]


def write_keys(path: Path, keys: Collection[Key]) -> None:
    """Write the prefixes of a sealed slice, sorted, and make them survive power loss."""
    with open(path, "wb") as file:
        np.save(file, np.sort(_prefixes(list(keys))))
        file.flush()
        os.fsync(file.fileno())


def read_keys(path: Path) -> SealedKeys:
    """Read what `write_keys` wrote."""
    return SealedKeys(np.load(path))


def _prefixes(keys: list[Key]) -> NDArray[np.uint64]:
    return np.array([int(key[:PREFIX_DIGITS], 16) for key in keys], np.uint64)
