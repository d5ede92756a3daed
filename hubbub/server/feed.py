"""One listener on the house, fanned out to every open stream; it knows no HTTP."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import anyio
import anyio.to_thread

from hubbub.posts import AccountEvent, AuthorId, ConsentEvent, Deletion, Edit, Event, Post, PostId
from hubbub.server.surface import House
from hubbub.stream.decode.x_ids import UNKNOWN_USER

POLL_S = 0.25
"""Longest wait inside one call for events; a thread outlives its server by at most this."""

MAX_REMEMBERED = 100_000
"""Deleted ids kept to answer "gone" (410) rather than "unknown" (404); about 15 MB."""

Change = Edit | Deletion | AccountEvent | ConsentEvent


class Listener:
    """One stream's queue of changes; if it overflows, all that the stream shows must be looked at again."""

    def __init__(self, max_queued: int) -> None:
        self.has_overflowed = False
        self._changes: deque[Change] = deque()
        self._max_queued = max_queued
        self._woken = anyio.Event()

    def put(self, changes: Sequence[Change]) -> None:
        """Queue changes without waiting."""
        if len(self._changes) + len(changes) > self._max_queued:
            self._changes.clear()
            self.has_overflowed = True
        else:
            self._changes.extend(changes)
        self._woken.set()

    async def get(self) -> tuple[list[Change], bool]:
        """Wait for changes; True says that some were lost."""
        await self._woken.wait()
        self._woken = anyio.Event()
        changes, has_overflowed = list(self._changes), self.has_overflowed
        self._changes.clear()
        self.has_overflowed = False
        return changes, has_overflowed


class Feed:
    """Reads the house's events in one worker thread and tells every listener on the event loop."""

    def __init__(self, house: House, max_queued: int, num_newest: int) -> None:
        self._house = house
        self._max_queued = max_queued
        self._listeners: set[Listener] = set()
        self._gone: OrderedDict[PostId, None] = OrderedDict()
        self._newest: deque[PostId] = deque(maxlen=num_newest)
        self._num_posts = 0

    async def run(self) -> None:
        """Read until cancelled."""
        limiter = anyio.CapacityLimiter(1)
        num_dropped = 0
        with self._house.subscribe() as subscription:
            while True:
                # A stopping server does not wait for the call; what it would return nobody needs.
                events = await anyio.to_thread.run_sync(
                    subscription.get, POLL_S, limiter=limiter, abandon_on_cancel=True
                )
                self._num_posts += subscription.num_dropped - num_dropped
                num_dropped = subscription.num_dropped
                self._publish(events)

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """Hear of every change from now on."""
        listener = Listener(self._max_queued)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def take_posts(self) -> tuple[list[PostId], int]:
        """Take the newest posts since the last call, and how many there were in all."""
        taken = list(self._newest), self._num_posts
        self._newest.clear()
        self._num_posts = 0
        return taken

    def is_gone(self, post: PostId) -> bool:
        """Whether this server has heard of the post's deletion."""
        return post in self._gone

    def _publish(self, events: Sequence[Event]) -> None:
        changes = []
        for event in events:
            if isinstance(event, Post):
                self._newest.append(event.id)
                self._num_posts += 1
            else:
                changes.append(event)
                self._remember(event)
        if changes:
            for listener in self._listeners:
                listener.put(changes)

    def _remember(self, change: Change) -> None:
        if isinstance(change, Deletion):
            self._gone[change.id] = None
            if len(self._gone) > MAX_REMEMBERED:
                self._gone.popitem(last=False)


def affects(change: Change, post: PostId, author: AuthorId) -> bool:
    """Whether a change can take a shown post away or alter its text."""
    if isinstance(change, Deletion):
        # It also takes the ids that edits gave to the post; and either may not name its author.
        return change.id == post or change.author in (None, author) or author.startswith(UNKNOWN_USER)
    if isinstance(change, Edit):
        return post in (change.replaces, change.post.id) or change.post.author == author
    return change.author == author
