"""Plays recorded posts in the order of their times as if they were arriving now.

In a replay the recorded time stands for the time of receipt: `received_us` of every event is when it was
recorded (the witness's time where there is one, else the author's), and "now" is what `ReplayClock` says,
never the system's time. Whatever ranks or says "two hours ago" must ask that clock.
"""

from __future__ import annotations

import math
import operator
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator

import msgspec

from hubbub.errors import InvalidInput
from hubbub.posts import Cursor, Edit, Event
from hubbub.stream.counts import Counts
from hubbub.stream.decode.cleanse import MAX_TIME_US
from hubbub.stream.ndjson import NdjsonSource
from hubbub.stream.source import Batch
from hubbub.units import US_PER_S

_MAX_WAIT_S = 0.1
"""A replay looks up from waiting this often, to notice that it shall stop."""
_LINGER_S = 0.02
"""Events due within this time of each other travel in one batch."""
_RECEIVED_US = operator.attrgetter("received_us")


class ReplayClock:
    """The time inside a replay; stands still before its start, runs at normal speed after its end."""

    def __init__(self, speed: float = math.inf, start_us: int = 0) -> None:
        """`speed`: recorded seconds per second; infinite plays without pauses.

        Raises:
            InvalidInput: the speed is not above zero.
        """
        if not speed > 0:
            raise InvalidInput(
                f"speed {speed} is not above zero; 60 plays a minute a second, inf without pauses"
            )
        self.speed = speed
        self._lock = threading.Lock()
        self._base_us = start_us
        self._base_s: float | None = None
        self._rate = 0.0
        self._num_players = 0

    def now_us(self) -> int:
        """Tell the recorded time, microseconds since 1970."""
        with self._lock:
            return self._now_us()

    def start(self, time_us: int) -> None:
        """Set the recorded time and let it run."""
        with self._lock:
            self._start(time_us)

    def begin(self, time_us: int) -> None:
        """Note that a source plays; the first one starts the clock, unless it is running already."""
        with self._lock:
            self._num_players += 1
            if self._base_s is None:
                self._start(time_us)

    def advance(self, time_us: int) -> None:
        """Note that an event of this time was played; only a clock without pauses needs it."""
        with self._lock:
            if math.isinf(self.speed):
                self._base_us = max(self._base_us, time_us)

    def finish(self) -> None:
        """Note that a source has ended; after the last one the clock goes on at normal speed."""
        with self._lock:
            self._num_players -= 1
            if self._num_players > 0:
                return
            self._base_us, self._base_s, self._rate = self._now_us(), time.monotonic(), 1.0

    def seconds_until(self, time_us: int) -> float:
        """Tell how long to wait until a recorded time comes, 0 if it has."""
        with self._lock:
            if math.isinf(self.speed):
                return 0.0
            return max(0.0, (time_us - self._now_us()) / US_PER_S / self.speed)

    def _start(self, time_us: int) -> None:
        self._base_us = time_us
        self._base_s = time.monotonic()
        self._rate = 0.0 if math.isinf(self.speed) else self.speed

    def _now_us(self) -> int:
        if self._base_s is None or not self._rate:
            return self._base_us
        return self._base_us + round((time.monotonic() - self._base_s) * self._rate * US_PER_S)


class ReplaySource:
    """Plays one file of recorded posts; it is read as a whole first, to sort it: 1 KB of memory a post.

    The cursor is the number of events played, in the order of their times, so that a broken-off replay of the
    same file goes on with the next one, its clock with that one's time.
    """

    def __init__(
        self,
        path: str,
        format: str = "hubbub",
        *,
        speed: float = math.inf,
        from_us: int | None = None,
        until_us: int | None = None,
        clock: ReplayClock | None = None,
    ) -> None:
        """Choose what to play: events with `from_us` <= time < `until_us`, microseconds since 1970.

        Raises:
            InvalidInput: there is no such file or format, or the speed is not above zero.
        """
        self._lines = NdjsonSource(path, format, clock=None)
        self.name = f"replay:{self._lines.name.removeprefix('ndjson:')}"
        self.clock = clock or ReplayClock(speed, from_us or 0)
        self._from_us = from_us or 0
        self._until_us = MAX_TIME_US + 1 if until_us is None else until_us

    def batches(
        self, after: Cursor | None, *, size: int, counts: Counts, stop: threading.Event
    ) -> Iterator[Batch]:
        """Yield the events when their times come, up to `size` at once."""
        events = self._read(counts, stop)
        done = max(int(after or 0), bisect_left(events, self._from_us, key=_RECEIVED_US))
        end = bisect_left(events, self._until_us, key=_RECEIVED_US)
        if done >= end:
            return
        self.clock.begin(events[done].received_us)
        try:
            yield from self._play(events, done, end, size, stop)
        finally:
            self.clock.finish()

    def _play(
        self, events: list[Event], done: int, end: int, size: int, stop: threading.Event
    ) -> Iterator[Batch]:
        while done < end and self._wait(events[done].received_us, stop):
            due = self._count_due(events, done, min(done + size, end))
            batch = events[done : done + due]
            done += due
            self.clock.advance(batch[-1].received_us)
            yield Batch(batch, str(done))

    def _read(self, counts: Counts, stop: threading.Event) -> list[Event]:
        events: list[Event] = []
        for batch in self._lines.batches(None, size=4096, counts=counts, stop=stop):
            events += batch.events
        events.sort(key=_RECEIVED_US)
        first_us = next((event.received_us for event in events if event.received_us), 0)
        return [_at(event, first_us) if not event.received_us else event for event in events]

    def _wait(self, time_us: int, stop: threading.Event) -> bool:
        """Wait for a recorded time; False if the replay was stopped before."""
        while (left_s := self.clock.seconds_until(time_us)) > 0:
            if stop.wait(min(left_s, _MAX_WAIT_S)):
                return False
        return not stop.is_set()

    def _count_due(self, events: list[Event], done: int, end: int) -> int:
        """Count the events from `done` on that are due; the first one is."""
        due = done + 1
        while due < end and self.clock.seconds_until(events[due].received_us) <= _LINGER_S:
            due += 1
        return due - done


def _at(event: Event, time_us: int) -> Event:
    """Give an event of unknown time the time of the first known one."""
    if isinstance(event, Edit):
        return msgspec.structs.replace(event, post=msgspec.structs.replace(event.post, received_us=time_us))
    return msgspec.structs.replace(event, received_us=time_us)
