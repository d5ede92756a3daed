"""What every source of events is: something with a name that yields batches, each with a cursor."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Protocol

import msgspec

from hubbub.posts import Cursor, Event
from hubbub.stream.counts import Counts


class Batch(msgspec.Struct, frozen=True):
    """Events, and how far the source was read once they are kept."""

    events: list[Event]
    cursor: Cursor | None = None
    """None where the source cannot be resumed, such as a pipe."""
    may_repeat: bool = False
    """Whether these events may have come before, as after a new connection that begins a little earlier."""
    received_us: int | None = None
    """When a live source received the first of them; tells our own lag."""


class Source(Protocol):
    """Where events come from."""

    name: str
    """Under this name the archive keeps the cursor; the same source has the same name in every run."""

    def batches(
        self, after: Cursor | None, *, size: int, counts: Counts, stop: threading.Event
    ) -> Iterator[Batch]:
        """Yield batches of about `size` events from behind a cursor until the source ends or `stop` is set.

        Must not wait for a batch to fill: what has arrived is yielded when nothing more comes for 20 ms.
        A live source yields an empty batch every second in which nothing comes.
        """
        ...
