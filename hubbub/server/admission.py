"""Who is served next when the machine is full: by priority, then who has had least; it knows no HTTP."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from hubbub.server.caller import Caller, caller
from hubbub.server.keys import FIRST
from hubbub.server.usage import Usage
from hubbub.web.wire import Refusal

_FORGETTING = 0.1
"""Weight of the newest work in the mean of how long one takes."""
_GUESS_S = 0.1
"""What one takes before any was seen."""


class Turn:
    """One piece of work that waits for its place, or has it."""

    def __init__(self, who: Caller, number: int, rests_until_s: float) -> None:
        self.who, self.number, self.rests_until_s = who, number, rests_until_s
        self.is_called = anyio.Event()
        self.refusal: Refusal | None = None
        self.start_s: float | None = None
        self.expected_s = 0.0


class Gate:
    """A fixed number of places for work of one kind.

    Within a priority the tenant comes next that has had the least time (start-time fair queueing: Goyal, Vin
    and Cheng, SIGCOMM 1996), so that a thousand requests of one do not delay the only one of another.
    A quarter of the places is kept for the first.
    """

    def __init__(
        self,
        kind: str,
        num_places: int,
        max_waiting: int,
        max_wait_s: float,
        usage: Usage,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`kind` names the work in errors; what is refused and how long the rest took goes to `usage`."""
        self._kind, self._num_places = kind, num_places
        self._num_shared = num_places - num_places // 4
        self._max_waiting, self._max_wait_s = max_waiting, max_wait_s
        self._usage, self._clock = usage, clock
        self._numbers = itertools.count()
        self._waiting: list[Turn] = []
        self._working: set[Turn] = set()
        self._mean_s = _GUESS_S
        self._had_s: dict[tuple[int, str], float] = {}
        """Time that each tenant has had, counted on from the base below where it came later."""
        self._base_s: dict[int, float] = {}
        """What the one called last had had, by priority."""

    @property
    def num_working(self) -> int:
        """Places that are taken."""
        return len(self._working)

    def num_waiting_of(self, tenant: str) -> int:
        """Count what a tenant waits for."""
        return sum(turn.who.tenant == tenant for turn in self._waiting)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place within the block; raises as `enter` does."""
        turn = await self.enter()
        try:
            yield
        finally:
            self.leave(turn)

    async def enter(self, *, is_rest: bool = False) -> Turn:
        """Wait for a place for the caller; give the result to `leave`.

        The rest of what was begun goes after what its tenant has not begun: so each shows something soon. But
        it must not wait in vain, so it does no longer once half of its time is over.

        Raises:
            Refusal: it would wait too long, or did, or too much waits already.
        """
        rests_until_s = self._clock() + self._max_wait_s / 2 if is_rest else -math.inf
        turn = Turn(caller(), next(self._numbers), rests_until_s)
        wait_s = math.inf if turn.who.is_let_in and not is_rest else self._max_wait_s
        if self._is_free_for(turn):
            self._call(turn)
            return turn
        self._make_room(turn)
        self._waiting.append(turn)
        try:
            with anyio.move_on_after(wait_s):
                await turn.is_called.wait()
        except BaseException:
            self.leave(turn)
            raise
        if turn.start_s is None:
            self.leave(turn)
            raise turn.refusal or self._refuse(turn)
        return turn

    def leave(self, turn: Turn) -> None:
        """Give a place back, or no longer wait for it; safe to call twice."""
        if turn in self._waiting:
            self._waiting.remove(turn)
        if turn not in self._working:
            return
        assert turn.start_s is not None
        self._working.remove(turn)
        took_s = self._clock() - turn.start_s
        self._had_s[_name(turn)] += took_s - turn.expected_s
        self._mean_s += _FORGETTING * (took_s - self._mean_s)
        if turn.who.priority:
            self._usage.note(turn.who.tenant, work_s=took_s)
        while self._waiting:
            following = min(self._waiting, key=self._rank)
            if not self._is_free_for(following):
                break
            self._waiting.remove(following)
            self._call(following)

    def _rank(self, turn: Turn) -> tuple[int, float, bool, int]:
        is_resting = self._clock() < turn.rests_until_s
        return turn.who.priority, self._had_s.get(_name(turn), 0.0), is_resting, turn.number

    def _is_free_for(self, turn: Turn) -> bool:
        if turn.who.priority <= FIRST:
            return len(self._working) < self._num_places
        num_shared = sum(other.who.priority > FIRST for other in self._working)
        return len(self._working) < self._num_places and num_shared < self._num_shared

    def _call(self, turn: Turn) -> None:
        priority, name = turn.who.priority, _name(turn)
        # Who was away has not saved up: its time counts on from that of those who were here.
        had_s = max(self._had_s.get(name, 0.0), self._base_s.get(priority, 0.0))
        self._base_s[priority] = had_s
        turn.expected_s, turn.start_s = self._mean_s, self._clock()
        self._had_s[name] = had_s + turn.expected_s  # until it is known
        self._working.add(turn)
        turn.is_called.set()

    def _make_room(self, turn: Turn) -> None:
        """Let the newest of whoever waits most, in the last priority, go for this one; or refuse this one."""
        if turn.who.is_let_in:
            return
        if self._wait_s(turn) > self._max_wait_s:
            raise self._refuse(turn)
        if len(self._waiting) < self._max_waiting:
            return
        last = max(
            (other for other in (*self._waiting, turn) if not other.who.is_let_in),
            key=lambda other: (other.who.priority, self.num_waiting_of(other.who.tenant), other.number),
        )
        if last is not turn:
            self._waiting.remove(last)
            last.refusal = self._refuse(last)
            last.is_called.set()
            return
        raise self._refuse(turn)

    def _wait_s(self, turn: Turn) -> float:
        """Estimate how long one would wait: for those of a higher priority, and for its share of its own."""
        who = turn.who
        num_before = sum(other.who.priority < who.priority for other in self._waiting)
        own = self.num_waiting_of(who.tenant)
        peers = {other.who.tenant for other in self._waiting if other.who.priority == who.priority}
        num_before += own + sum(min(self.num_waiting_of(peer), own + 1) for peer in peers - {who.tenant})
        num_places = self._num_places if who.priority <= FIRST else self._num_shared
        return (num_before + 1) * self._mean_s / num_places

    def _refuse(self, turn: Turn) -> Refusal:
        self._usage.note(turn.who.tenant, num_refused=1)
        wait_s = max(1, min(60, math.ceil(self._wait_s(turn))))
        said = f"too many {self._kind} at once; try again in {wait_s} s"
        return Refusal(429, said, code=f"too_many_{self._kind}", retry_after_s=wait_s)


def _name(turn: Turn) -> tuple[int, str]:
    return turn.who.priority, turn.who.tenant
