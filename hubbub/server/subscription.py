"""Tell many listeners what has just been folded, without ever waiting for a slow one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType

from hubbub.posts import Event, Post

MAX_QUEUED = 2000
"""Events a slow listener may fall behind before its oldest posts are left out."""


class Subscription:
    """One listener's bounded queue; a full queue loses its oldest *posts*, never a deletion."""

    def __init__(self, leave: Callable[[Subscription], None]) -> None:
        self._leave = leave
        self._events: deque[Event] = deque()
        self._changed = threading.Condition()
        self.num_dropped = 0

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._leave(self)

    def put(self, events: Sequence[Event]) -> None:
        """Queue events; called by the folding thread, never blocks."""
        with self._changed:
            self._events.extend(events)
            if len(self._events) > MAX_QUEUED:
                self._shed()
            self._changed.notify_all()

    def get(self, timeout_s: float) -> list[Event]:
        """Return everything queued, waiting up to `timeout_s` for the first event."""
        with self._changed:
            if not self._events:
                self._changed.wait(timeout_s)
            events = list(self._events)
            self._events.clear()
            return events

    def _shed(self) -> None:
        """Leave out the oldest posts; changes to what a listener may be showing stay."""
        surplus = len(self._events) - MAX_QUEUED
        kept: deque[Event] = deque()
        for event in self._events:
            if surplus > 0 and isinstance(event, Post):
                surplus -= 1
                self.num_dropped += 1
            else:
                kept.append(event)
        self._events = kept


class Listeners:
    """The set of open subscriptions."""

    def __init__(self) -> None:
        self._open: set[Subscription] = set()
        self._lock = threading.Lock()

    def subscribe(self) -> Subscription:
        """Open a subscription; leave its `with` block to close it."""
        subscription = Subscription(self._leave)
        with self._lock:
            self._open.add(subscription)
        return subscription

    def publish(self, events: Sequence[Event]) -> None:
        """Hand events to every listener."""
        with self._lock:
            listeners = list(self._open)
        for listener in listeners:
            listener.put(events)

    def _leave(self, subscription: Subscription) -> None:
        with self._lock:
            self._open.discard(subscription)
