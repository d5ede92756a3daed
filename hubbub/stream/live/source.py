"""A live source: one platform's connections, one after the other, each going on where the last one broke."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Protocol

from hubbub.errors import PlatformError
from hubbub.posts import Cursor
from hubbub.stream.counts import Counts
from hubbub.stream.live.backoff import Backoff
from hubbub.stream.live.link import Disconnected, Refused
from hubbub.stream.source import Batch
from hubbub.units import now_us

HEARTBEAT_S = 0.2
"""A waiting source looks up this often: to stop, and to let its figures be written."""
_HOPELESS = (400, 401, 403, 404, 410)
"""What no repetition of the same request mends; of a platform that once let us in, it may be a mishap."""


class Platform(Protocol):
    """One platform's way to connect and to tell events."""

    name: str

    def session(
        self, after: Cursor | None, *, size: int, counts: Counts, stop: threading.Event
    ) -> Iterator[Batch]:
        """Connect and yield batches until the connection breaks (Disconnected) or `stop` is set.

        Returning without an error asks for a new connection at once.
        """

    def backoff(self) -> Backoff:
        """Return how long this platform wants its followers to wait."""


class LiveSource:
    """Follows a platform for ever; nothing is read ahead, so memory is flat however fast the platform is."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.name = platform.name

    def batches(
        self, after: Cursor | None, *, size: int, counts: Counts, stop: threading.Event
    ) -> Iterator[Batch]:
        """Yield what comes, and an empty batch now and then while nothing does.

        Raises:
            PlatformError: the platform has never let us in, and the reason is not one that passes.
        """
        vitals, backoff, cursor = counts.vitals, self.platform.backoff(), after
        while not stop.is_set():
            start_s, num_before = time.monotonic(), vitals.num_connections
            vitals.enter("connecting", now_us())
            yield Batch([])
            try:
                for part in self.platform.session(cursor, size=size, counts=counts, stop=stop):
                    cursor = part.cursor or cursor
                    yield part
            except Disconnected as error:
                if isinstance(error, Refused) and error.status in _HOPELESS and not vitals.num_connections:
                    raise PlatformError(f"{error}; look at the address and the token") from None
                vitals.note_break(str(error), now_us())
                held_s = time.monotonic() - start_s if vitals.num_connections > num_before else 0.0
                yield from _wait(backoff.wait_s(error, held_s), stop)


def _wait(wait_s: float, stop: threading.Event) -> Iterator[Batch]:
    end_s = time.monotonic() + wait_s
    while (left_s := end_s - time.monotonic()) > 0 and not stop.wait(min(left_s, HEARTBEAT_S)):
        yield Batch([])
