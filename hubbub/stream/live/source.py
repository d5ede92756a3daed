"""A live source: one platform's connections, one after the other, each going on where the last one broke."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Protocol

from hubbub.posts import Cursor
from hubbub.stream.counts import Counts
from hubbub.stream.live.backoff import Backoff
from hubbub.stream.live.link import Disconnected, Refused
from hubbub.stream.source import Batch
from hubbub.units import now_us

HEARTBEAT_S = 0.2
"""A waiting source looks up this often: to stop, and to let its figures be written."""
_ADVICE = {
    400: "look at the address and its options, and begin anew",
    401: "renew the token, and begin anew with the new one",
    403: "let the platform give this token the right to read the stream",
    404: "look at the address: nothing is there now",
    410: "look at the address: what was there is gone",
}
"""What no repetition mends in the next minutes, and what a person can do about it."""
_FINAL = (400, 410)
"""No use asking again; the others may change at the platform's side."""
REFUSED_S = 300.0
REFUSED_LONGEST_S = 3600.0
"""Who was never let in asks again after five minutes, then ever more rarely, down to once an hour."""


class Platform(Protocol):
    """One platform's way to connect and to tell events."""

    name: str
    backoff: Backoff
    """How long this platform wants its followers to wait."""

    def session(
        self, after: Cursor | None, *, size: int, counts: Counts, stop: threading.Event
    ) -> Iterator[Batch]:
        """Connect and yield batches until the connection breaks (Disconnected) or `stop` is set.

        Returning without an error asks for a new connection at once.
        """


class LiveSource:
    """Follows a platform for ever; nothing is read ahead, so memory is flat however fast the platform is."""

    def __init__(self, platform: Platform, refused_s: float = REFUSED_S) -> None:
        """`refused_s`: so long after a refusal the platform is asked for the first time again."""
        self.platform = platform
        self._refused_s = refused_s
        self.name = platform.name

    def batches(
        self, after: Cursor | None, *, size: int, counts: Counts, stop: threading.Event
    ) -> Iterator[Batch]:
        """Yield what comes, and an empty batch now and then while nothing does.

        A refusal does not end it: the state `refused` tells, and `refusal_of` whether any source is left.
        """
        vitals, backoff, cursor = counts.vitals, self.platform.backoff, after
        refused_s = self._refused_s
        while not stop.is_set():
            start_s, num_before = time.monotonic(), vitals.num_connections
            vitals.enter("connecting", now_us())
            yield Batch([])
            try:
                for part in self.platform.session(cursor, size=size, counts=counts, stop=stop):
                    vitals.refused = None
                    cursor = part.cursor or cursor
                    yield part
            except Disconnected as error:
                held_s = time.monotonic() - start_s if vitals.num_connections > num_before else 0.0
                wait_s = backoff.wait_s(error, held_s)
                advice = _ADVICE.get(error.status) if isinstance(error, Refused) else None
                if advice is None:
                    vitals.note_break(str(error), now_us())
                else:
                    vitals.note_refusal(f"{str(error)[:200]}; {advice}", now_us())
                    if vitals.is_shut_out:
                        is_final = isinstance(error, Refused) and error.status in _FINAL
                        wait_s = threading.TIMEOUT_MAX if is_final else max(wait_s, refused_s)
                        refused_s = min(2 * refused_s, REFUSED_LONGEST_S)
                yield from _wait(wait_s, stop)


def _wait(wait_s: float, stop: threading.Event) -> Iterator[Batch]:
    end_s = time.monotonic() + wait_s
    while (left_s := end_s - time.monotonic()) > 0 and not stop.wait(min(left_s, HEARTBEAT_S)):
        yield Batch([])
