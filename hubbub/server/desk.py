"""What all routes of one server share: the house, its feed, the limits, the threads for blocking work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar, TypeVarTuple, Unpack

import anyio
import anyio.to_thread
from starlette.requests import Request

from hubbub.errors import InvalidInput
from hubbub.server.admission import Gate
from hubbub.server.caller import Caller
from hubbub.server.feed import Feed
from hubbub.server.stamps import Stamps
from hubbub.server.streams import HouseStreams
from hubbub.server.surface import House, Limits
from hubbub.server.tenants import Tenants
from hubbub.server.trending import Trending
from hubbub.units import parse_time_us
from hubbub.web.wire import Refusal

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

NUM_LOOKUP_THREADS = 4
"""Searches and fetches at once; more would only wait for the same cores."""


class Stoppable(Protocol):
    """What can be ended from outside, with a word of why."""

    who: Caller

    def stop(self, refusal: Refusal) -> None:
        """End it soon."""


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
        self.streams = HouseStreams(limits.max_streams, limits.send_timeout_s, self.tenants)
        usage = self.tenants.usage
        self.asks = Gate("asks", limits.max_asks, limits.max_waiting, limits.max_ask_wait_s, usage)
        self._lookups = Gate(
            "lookups", NUM_LOOKUP_THREADS, limits.max_waiting, limits.max_lookup_wait_s, usage
        )
        self.answers: set[Stoppable] = set()
        """Those on their way, to be ended where their tenant is switched off."""
        self.failure: str | None = None
        """Why deletions can no longer be told; nothing is then shown."""
        self.ask_threads = anyio.CapacityLimiter(limits.max_asks)
        self._lookup_threads = anyio.CapacityLimiter(NUM_LOOKUP_THREADS)

    async def look_up(self, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        """Run a blocking call on the index in a thread, when it is the caller's turn.

        Raises:
            Refusal: too much waits for its turn.
        """
        async with self._lookups.place():
            return await anyio.to_thread.run_sync(work, *args, limiter=self._lookup_threads)

    @property
    def num_asks(self) -> int:
        """Answers that are being written now."""
        return self.asks.num_working

    def num_waiting_of(self, tenant: str) -> int:
        """Count the questions and searches of a tenant that wait for their turn."""
        return self.asks.num_waiting_of(tenant) + self._lookups.num_waiting_of(tenant)

    def obey(self) -> None:
        """End what is open of those whom the operator has switched off."""
        for answer in list(self.answers):
            if refusal := self.tenants.find_stop(answer.who, is_answer=True):
                answer.stop(refusal)
        self.streams.obey()

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


def read_time_us(request: Request, name: str) -> int | None:
    """Read one time of the address line, in microseconds since 1970; None if it is not given.

    Raises:
        Refusal: it is none.
    """
    text = read_param(request, name, 40)
    try:
        return parse_time_us(text) if text else None
    except InvalidInput as error:
        raise Refusal(400, str(error), code="invalid_time", param=name) from None


def is_for_prompt(request: Request) -> bool:
    """Tell whether what is read may end in a prompt: under `/v1`, unless the client says `for=display`.

    Raises:
        Refusal: it says something else.
    """
    use = read_param(request, "for", 20)
    if use not in ("", "display", "prompt"):
        raise Refusal(400, f"for {use!r} is neither display nor prompt", code="invalid_use", param="for")
    return use != "display" and request.url.path.startswith("/v1/") or use == "prompt"


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
