"""Who goes first where all share one interpreter lock: who searches, before answers, folding and upkeep."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE_S = 0.05
"""Nobody gives way for longer at a time, so that a flood of searches stops neither folding nor answers."""

_LAST = 2
_counting = threading.Lock()
_num_first = [0] * _LAST
_free = [threading.Event() for _ in range(_LAST + 1)]
"""By rank: set while nobody of a lower one is at work."""
for _event in _free:
    _event.set()


class _Mine(threading.local):
    rank = _LAST
    busy_until_s = 0.0


_mine = _Mine()


@contextmanager
def going_first(rank: int = 0) -> Iterator[None]:
    """Within the block those of higher ranks who `give_way` elsewhere in this process wait.

    Rank 0 is a search, 1 one that takes several times as long; everything else comes after both.
    """
    before = _mine.rank
    _count(rank, 1)
    _mine.rank = rank
    try:
        yield
    finally:
        _mine.rank = before
        _count(rank, -1)


def give_way() -> None:
    """Wait while others go first, at most `PATIENCE_S`, and then work for as long before waiting again.

    So it may stand in every loop, and nobody is slowed down to less than half.
    """
    if not _free[_mine.rank].is_set() and (start_s := time.monotonic()) >= _mine.busy_until_s:
        _free[_mine.rank].wait(PATIENCE_S)
        end_s = time.monotonic()
        _mine.busy_until_s = end_s + (end_s - start_s)


class PoliteLock:
    """A reentrant lock that is not taken while others go first, but for those, and not for long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner, self._depth = 0, 0

    def __enter__(self) -> None:
        if self._owner != threading.get_ident():
            free = _free[_mine.rank]
            patient_until_s = time.monotonic() + PATIENCE_S
            free.wait(PATIENCE_S)
            self._lock.acquire()
            while not free.is_set() and (left_s := patient_until_s - time.monotonic()) > 0:
                self._lock.release()
                free.wait(left_s)
                self._lock.acquire()
            self._owner = threading.get_ident()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = 0
            self._lock.release()


def _count(rank: int, change: int) -> None:
    with _counting:
        _num_first[rank] += change
        for higher in range(rank + 1, _LAST + 1):
            if any(_num_first[:higher]):
                _free[higher].clear()
            else:
                _free[higher].set()
