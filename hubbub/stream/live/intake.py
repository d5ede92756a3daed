"""Between a connection and the archive: decodes what has arrived and hands it on in batches with a cursor."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator

from hubbub.posts import Cursor, Event
from hubbub.stream.counts import Counts
from hubbub.stream.decode.lines import LineDecoder
from hubbub.stream.decode.outcome import Decoder
from hubbub.stream.live.link import Disconnected
from hubbub.stream.live.source import HEARTBEAT_S
from hubbub.stream.source import Batch
from hubbub.units import now_us

LINGER_S = 0.02
"""What arrives within this time of the first message travels in one batch."""


class Intake:
    """Decodes lines of one format; all lines of one arrival were received at the same time."""

    def __init__(self, format: str | Decoder, counts: Counts, cursor: Callable[[], Cursor | None]) -> None:
        """`cursor` tells how far everything taken in so far is; what is read again from there may repeat."""
        self.received_us = 0
        self._decoder = LineDecoder(format, counts, clock=lambda: self.received_us)
        self._cursor = cursor
        self._events: list[Event] = []
        self._may_repeat = False
        self._first_us: int | None = None
        self._has_moved = False

    def arrive(self) -> None:
        """Note that something has just been received."""
        self.received_us = now_us()
        self._first_us = self._first_us or self.received_us

    def take(self, line: bytes, *, may_repeat: bool = False) -> Iterator[Batch]:
        """Decode a line; yields what waits first if this line is of another kind, so mostly nothing."""
        if may_repeat is not self._may_repeat:
            if self._events:
                # Never without a cursor: after a crash these events would seem new when they come again.
                yield from self.flush()
            self._may_repeat = may_repeat
        self._events += self._decoder.decode(line)
        self._has_moved = True

    def gather(
        self, receive: Callable[[float], list[bytes]], accept: Callable[[bytes], Iterator[Batch]], size: int
    ) -> Generator[Batch, None, bool]:
        """Take in what arrives within `LINGER_S` of the first message; returns whether anything did.

        Raises:
            Disconnected: the connection has broken; what came before that has been handed on.
        """
        try:
            messages = receive(HEARTBEAT_S)
            has_come, end_s = bool(messages), time.monotonic() + LINGER_S
            while messages:
                self.arrive()
                for message in messages:
                    yield from accept(message)
                    if self.num_waiting >= size:
                        yield from self.flush()
                left_s = end_s - time.monotonic()
                messages = receive(left_s) if left_s > 0 else []
            return has_come
        except Disconnected:
            yield from self.flush()
            raise

    @property
    def num_waiting(self) -> int:
        """Events decoded and not handed on yet."""
        return len(self._events)

    def flush(self) -> Iterator[Batch]:
        """Hand on what waits, with how far that is; an empty batch if nothing does."""
        if self._has_moved:
            part = Batch(self._events, self._cursor(), self._may_repeat, self._first_us)
        else:
            part = Batch([])
        self._events, self._has_moved, self._first_us = [], False, None
        yield part
