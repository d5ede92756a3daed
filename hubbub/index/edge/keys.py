"""Which keys a slice may hold: exact while it takes writes, a sorted array of prefixes once it is sealed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hubbub.index.document import Key

PREFIX_DIGITS = 16  # 64 bits: at 1e6 posts one false hit in 1e13, and hits are checked in the engine


class Asked(list[Key]):
    """Keys that many slices are asked for, each once; their prefixes are read once."""

    def __init__(self, keys: Iterable[Key]) -> None:
        super().__init__(dict.fromkeys(keys))

    @cached_property
    def prefixes(self) -> NDArray[np.uint64]:
        """The first 64 bits of each."""
        return np.array([int(key[:PREFIX_DIGITS], 16) for key in self], np.uint64)


class KeySet(Protocol):
    """Tells which keys are worth asking the engine for."""

    def copy(self) -> KeySet:
        """Return them as they are now."""
        ...

    def sealed(self) -> SealedKeys:
        """Return them as a slice that takes no more writes keeps them."""
        ...

    def holding(self, keys: Iterable[Key]) -> list[Key]:
        """Return those of `keys` that may be in the slice; no key that is in it is left out."""
        ...


class OpenKeys:
    """The keys of a slice that takes writes."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self.keys = set(keys)

    def copy(self) -> OpenKeys:
        """Return the keys as they are now."""
        return OpenKeys(self.keys)

    def sealed(self) -> SealedKeys:
        """Return the sorted prefixes of the keys."""
        return SealedKeys(np.sort(Asked(self.keys).prefixes))

    def holding(self, keys: Iterable[Key]) -> list[Key]:
        """Return those of `keys` that are in the slice."""
        return list(self.keys.intersection(keys))


class SealedKeys:
    """The keys of a sealed slice, 8 bytes each; those deleted since stay."""

    def __init__(self, prefixes: NDArray[np.uint64]) -> None:
        self.prefixes = prefixes

    def copy(self) -> SealedKeys:
        """Return these, as they never change."""
        return self

    def sealed(self) -> SealedKeys:
        """Return these."""
        return self

    def write(self, path: Path) -> None:
        """Write the prefixes and make them survive power loss."""
        with open(path, "wb") as file:
            np.save(file, self.prefixes)
            file.flush()
            os.fsync(file.fileno())

    def holding(self, keys: Iterable[Key]) -> list[Key]:
        """Return those of `keys` whose prefix is in the slice."""
        asked = keys if isinstance(keys, Asked) else Asked(keys)
        if not asked or not len(self.prefixes):
            return []
        places = np.searchsorted(self.prefixes, asked.prefixes)
        places[places == len(self.prefixes)] = 0
        hits = np.flatnonzero(self.prefixes[places] == asked.prefixes)
        return [asked[place] for place in hits.tolist()]


def join_keys(parts: Iterable[KeySet]) -> SealedKeys:
    """Return the keys of several slices as one sealed slice keeps them."""
    return SealedKeys(np.sort(np.concatenate([part.sealed().prefixes for part in parts])))


def read_keys(path: Path) -> SealedKeys:
    """Read what `SealedKeys.write` wrote."""
    return SealedKeys(np.load(path))
