"""Looks at an engine again and again, once for all viewers, and tells them what is new; it steers nothing."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable
from typing import Any

import anyio
import msgspec
from anyio import to_thread

from hubbub.errors import HubbubError
from hubbub.fleet.deliveries import DeliveryPlan
from hubbub.fleet.explain import starts_of
from hubbub.fleet.launcher import Launcher, Truth
from hubbub.fleet.page.past import Bill, History
from hubbub.fleet.page.story import tell_deliveries, tell_past, tell_spec
from hubbub.fleet.pictures import Frame, Roll, frame_of, waiters_of
from hubbub.fleet.policy import Policy
from hubbub.fleet.spec import FleetSpec
from hubbub.web.streams import Emit
from hubbub.web.wire import KEEP_ALIVE, KEEP_ALIVE_S, encode_event

log = logging.getLogger("hubbub.fleet")

_REST = 4.0
"""It rests so many times as long as a look took: a large Slurm must not be kept busy by who watches it."""


class Watch:
    """One fleet as it is and as it was in the last day."""

    def __init__(
        self,
        open_fleet: Callable[[], Launcher],
        *,
        plan: DeliveryPlan | None = None,
        every_s: float = 2.0,
        patience_s: float = 8.0,
        policy: Policy | None = None,
    ) -> None:
        """Open the fleet; it is opened again when it was away."""
        self._open, self._plan = open_fleet, plan
        self._every_s, self._patience_s = every_s, patience_s
        self._policy = policy or Policy()
        self._fleet: Launcher | None = open_fleet()
        self._url, self._spec = self._fleet.url, self._fleet.spec
        self._history, self._bill = History(), Bill()
        self._roll: Roll | None = None
        self._frame: Frame | None = None
        self._good_s = time.time()
        self.away: dict[str, Any] | None = None
        self._latest, self._whole_at = (0, b""), 0
        """How many news there were, and the last: one value, as another thread looks than tells."""
        self._whole: tuple[int, bytes] = (-1, b"")
        self._changed = anyio.Event()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            began_s = time.monotonic()
            async with anyio.create_task_group() as group:
                group.start_soon(self._lose_patience)
                await to_thread.run_sync(self.look)
                group.cancel_scope.cancel()
            self._tell()
            await anyio.sleep(max(self._every_s, _REST * (time.monotonic() - began_s)))

    async def _lose_patience(self) -> None:
        """Tell that it does not answer before its own commands give up, which may take them half a minute."""
        await anyio.sleep(self._patience_s)
        if self.away is None:
            self._be_away("it is still being asked")
            self._tell()

    def look(self) -> None:
        """Look once; an engine that does not answer is away since it last did."""
        fleet, self._fleet = self._fleet, None
        try:
            fleet = fleet or self._open()
            self._fold(fleet.look(), fleet.spec)
            self._fleet = fleet
        except (HubbubError, OSError, subprocess.SubprocessError) as error:
            self._be_away(_words(error))
        except Exception as error:  # of ours, or JSON that no known version writes: the page must say so
            log.exception("the fleet could not be read")
            self._be_away(f"{type(error).__name__}: {error}; the log of the page has more")

    def _fold(self, truth: Truth, spec: FleetSpec) -> None:
        state = truth.state
        self._roll = self._roll or Roll(state)
        queue = waiters_of(state, self._policy, names=truth.names, held=truth.held)
        if queue:
            starts = starts_of(state, self._policy, [each.job for each in queue])
            queue = [msgspec.structs.replace(each, start_s=starts.get(each.job)) for each in queue]
        self._frame = frame_of(
            state, self._roll, queue, names=truth.names, out=truth.out, lemons=truth.lemons, notes=truth.notes
        )
        kept = self._history.add(self._frame.moment)
        self._bill.add(state, is_continued=False)
        if kept == "thinned" or self.away is not None or self._spec != spec:
            self._whole_at = self._latest[0] + 1
        self.away, self._spec, self._good_s = None, spec, time.time()
        told = {"frame": self._frame, "tenants": self._roll.names, "kept": kept}
        told["money"] = self._bill.days[-1:]
        self._compose(encode_event("now", told))

    def _be_away(self, error: str) -> None:
        self.away = {"since_s": self._good_s, "error": error}
        self._compose(encode_event("away", self.away))

    def _compose(self, news: bytes) -> None:
        self._latest = (self._latest[0] + 1, news)

    def _tell(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    def story(self) -> dict[str, Any]:
        """Return all that the page shows."""
        names = self._roll.names if self._roll else []
        return {
            "url": self._url,
            "spec": tell_spec(self._spec),
            **tell_past(self._history.moments, names, self._bill),
            "deliveries": tell_deliveries(self._plan, self._spec),
            "frame": self._frame,
            "away": self.away,
            "every_s": self._every_s,
        }

    async def read(self, emit: Emit) -> None:
        """Tell one viewer everything, then what is new; who missed something is told everything again."""
        seen = -1
        while True:
            changed = self._changed
            number, news = self._latest
            if seen != number:
                is_next = seen == number - 1 and number != self._whole_at
                seen = number
                await emit(news if is_next else self._everything(number))
            with anyio.move_on_after(KEEP_ALIVE_S) as patience:
                await changed.wait()
            if patience.cancelled_caught:
                await emit(KEEP_ALIVE)

    def _everything(self, number: int) -> bytes:
        if self._whole[0] != number:
            self._whole = (number, encode_event("fleet", self.story()))
        return self._whole[1]


def _words(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it did not answer within {error.timeout:g} s"
    return str(error)
