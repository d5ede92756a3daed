"""Keeps of a simulation what its pictures need: moments, fewer frames, money; it draws nothing."""

from __future__ import annotations

import math

import msgspec

from hubbub.fleet.actions import Action, Drain, Start
from hubbub.fleet.page.past import Bill, History
from hubbub.fleet.pictures import Frame, Roll, Waiter, frame_of, moment_of, waiters_of
from hubbub.fleet.policy import Policy
from hubbub.fleet.state import FleetState

MAX_MOMENTS, MAX_FRAMES = 1_200, 240
_ROWS = 12
"""Waiting jobs that a frame names: what one screen shows."""
_LEMON = "drained: a lemon: "
"""How `health` begins."""


class Recorder:
    """Hand `look` and `watch` to `simulate`; where there come too many frames, every second goes.

    The jobs that wait in a frame are followed until they start, so that it can tell when that was.
    """

    def __init__(self, policy: Policy) -> None:
        self.frames: list[Frame] = []
        self.history = History(MAX_MOMENTS, math.inf)
        self.bill = Bill()
        self.roll: Roll | None = None
        self._policy = policy
        self._gap_s = 0.0
        self._open: dict[str, list[tuple[Frame, int]]] = {}
        """Waiting jobs by id: where frames name them."""
        self._drained: dict[tuple[str, int], str] = {}

    def look(self, state: FleetState) -> None:
        """Keep this moment, and now and then a frame."""
        self.roll = self.roll or Roll(state)
        self.bill.add(state, is_continued=True)
        if self.frames and state.now_s < self.frames[-1].moment.at_s + self._gap_s:
            self.history.add(moment_of(state))
            return
        self._drained = {
            place: why for place, why in self._drained.items() if state.pools[place[0]].nodes.is_out(place[1])
        }
        lemons = {
            place: why.removeprefix(_LEMON) for place, why in self._drained.items() if why.startswith(_LEMON)
        }
        waiters = waiters_of(state, self._policy, max_rows=_ROWS)
        frame = frame_of(state, self.roll, waiters, out=self._drained, lemons=lemons)
        self.history.add(frame.moment)
        self.frames.append(frame)
        for place, waiter in enumerate(frame.queue):
            self._open.setdefault(waiter.job, []).append((frame, place))
        if len(self.frames) >= 2 * MAX_FRAMES:
            self.frames = self.frames[::2]
            self._gap_s = (state.now_s - self.frames[0].moment.at_s) / len(self.frames)

    def watch(self, state: FleetState, action: Action) -> None:
        """Note in the frames when a job that waited there starts, and why a node is drained."""
        if isinstance(action, Start):
            for frame, place in self._open.pop(action.job, ()):
                waiter: Waiter = frame.queue[place]
                frame.queue[place] = msgspec.structs.replace(waiter, start_s=round(state.now_s, 1))
        elif isinstance(action, Drain):
            self._drained[action.pool, action.node] = f"drained: {action.reason}"
