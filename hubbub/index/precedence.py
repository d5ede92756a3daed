"""Who goes first where all share one interpreter lock: who searches, before answers, folding and upkeep."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE_S = 0.05
"""Nobody gives way for longer at a time, so that a flood of searches stops neither folding nor answers."""

_counting = threading.Lock()
_is_free = threading.Event()
_is_free.set()
_num_first = 0
_mine = threading.local()


@contextmanager
def going_first() -> Iterator[None]:
    """Within the block those who `give_way` elsewhere in this process wait."""
    global _num_first
    with _counting:
        _num_first += 1
        _is_free.clear()
    _mine.is_first = True
    try:
        yield
    finally:
        _mine.is_first = False
        with _counting:
            _num_first -= 1
            if not _num_first:
                _is_free.set()


def give_way() -> None:
    """Wait while others go first, at most `PATIENCE_S`; who goes first itself waits for nobody."""
    if _must_wait():
        _is_free.wait(PATIENCE_S)


class PoliteLock:
    """A reentrant lock that is not taken while others go first, but for those, and not for long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner, self._depth = 0, 0

    def __enter__(self) -> None:
        if self._owner != threading.get_ident():
            patient_until_s = time.monotonic() + PATIENCE_S
            give_way()
            self._lock.acquire()
            while _must_wait() and time.monotonic() < patient_until_s:
                self._lock.release()
                give_way()
                self._lock.acquire()
            self._owner = threading.get_ident()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = 0
            self._lock.release()


def _must_wait() -> bool:
    return bool(_num_first) and not getattr(_mine, "is_first", False)
