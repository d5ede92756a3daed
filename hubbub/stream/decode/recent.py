"""A memory of bounded size for what was seen lately; what was not touched for long is forgotten."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Maps keys to values and keeps at least the `capacity` newest of them, at most twice as many.

    Two generations: when the young one is full, the old one is dropped. Cheaper than ordering every entry.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return the value, None if it is not remembered."""
        value = self._young.get(key)
        return self._old.get(key) if value is None else value

    def put(self, key: K, value: V) -> None:
        """Remember a value."""
        self._young[key] = value
        if len(self._young) >= self._capacity:
            self._young, self._old = {}, self._young
