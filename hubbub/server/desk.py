"""What all routes of one server share: the house, its feed, the limits, the threads for blocking work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, TypeVarTuple, Unpack

import anyio
import anyio.to_thread
from starlette.requests import Request

from hubbub.server.feed import Feed
from hubbub.server.stamps import Stamps
from hubbub.server.streams import Streams
from hubbub.server.surface import House, Limits
from hubbub.server.tenants import Tenants
from hubbub.server.trending import Trending
from hubbub.server.wire import Refusal

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

NUM_LOOKUP_THREADS = 4
"""Searches and fetches at once; more would only wait for the same cores."""


class Desk:
    """The shared state of one server."""

    def __init__(
        self,
        house: House,
        limits: Limits,
        examples: Sequence[tuple[str, str]] = (),
        stamps: Stamps | None = None,
        trending: Trending | None = None,
        tenants: Tenants | None = None,
    ) -> None:
        self.house = house
        self.tenants = tenants or Tenants()
        self.stamps = stamps
        self.trending = trending
        self.examples = tuple(examples)
        self.limits = limits
        self.feed = Feed(house, limits.max_buffered, limits.posts_per_tick * 4)
        self.streams = Streams(limits.max_streams, limits.send_timeout_s)
        self.num_asks = 0
        self.failure: str | None = None
        """Why deletions can no longer be told; nothing is then shown."""
        self.ask_threads = anyio.CapacityLimiter(limits.max_asks)
        self._lookup_threads = anyio.CapacityLimiter(NUM_LOOKUP_THREADS)

    async def look_up(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        """Run a blocking call on the index in a thread."""
        return await anyio.to_thread.run_sync(work, *args, limiter=self._lookup_threads)

    def check_working(self) -> None:
        """Refuse where a deletion could no longer be told.

        Raises:
            Refusal: the feed of events has failed.
        """
        if self.failure is not None:
            raise Refusal(
                503,
                f"this house has stopped following its stream ({self.failure}); restart it",
                code="feed_failed",
            )


def read_param(request: Request, name: str, max_chars: int) -> str:
    """Read one text parameter of the address line; empty if it is not given.

    Raises:
        Refusal: it is longer than `max_chars`.
    """
    return check_length(request.query_params.get(name, ""), name, max_chars)


def check_length(text: str, name: str, max_chars: int) -> str:
    """Return a text without the blanks around it.

    Raises:
        Refusal: it is longer than `max_chars`.
    """
    text = text.strip()
    if len(text) > max_chars:
        raise Refusal(
            400,
            f"{name} has {len(text):,} characters; at most {max_chars:,} are taken",
            code="too_long",
            param=name,
        )
    return text


def desk_of(request: Request) -> Desk:
    """Find the desk of the server that a request came to."""
    desk = request.app.state.desk
    assert isinstance(desk, Desk)
    return desk
