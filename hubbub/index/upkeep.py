"""A thread that has an index flushed every few seconds, also when no more events come."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hubbub.errors import HubbubError

LOOK_S = 5.0
"""Between two looks whether to flush."""


class Upkeep:
    """Calls `flush` until it is stopped; an error is kept for the next caller to raise."""

    def __init__(self, flush: Callable[[], object], every_s: float = LOOK_S) -> None:
        self._flush, self._every_s = flush, every_s
        self._is_stopping = threading.Event()
        self._error: HubbubError | None = None
        self._thread = threading.Thread(target=self._run, name="hubbub-upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the flush in hand."""
        self._is_stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def check(self) -> None:
        """Raise what the last flush raised.

        Raises:
            StorageError: the disk refused.
        """
        if self._error:
            raise self._error

    def _run(self) -> None:
        while not self._is_stopping.wait(self._every_s):
            try:
                self._flush()
                self._error = None
            except HubbubError as error:
                self._error = error
