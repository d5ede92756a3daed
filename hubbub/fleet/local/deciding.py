"""What to do on a local fleet now: the policy's decisions, less those that must wait for others to leave.

A job that was told to leave holds its GPUs and its power until its processes are gone. The policy is asked
about the fleet as it will be then; of its starts those are done that have room already, so that no GPU is
given twice and no site is above its cap, and the others come up again at the next look.
"""

from __future__ import annotations

from hubbub.fleet.actions import Action, Grow, Preempt, Shrink, Start
from hubbub.fleet.carrying import carry_out
from hubbub.fleet.local.journal import Book
from hubbub.fleet.local.truth import state_of
from hubbub.fleet.policy import Policy, decide
from hubbub.fleet.state import FleetState

SETTLE_S = 30.0
"""So long an elastic job runs before it is stopped to get more GPUs."""
_SLACK_KW = 1e-6


def actions_now(book: Book, now_s: float, policy: Policy) -> list[Action]:
    """Return what can be carried out now."""
    state, room = state_of(book, now_s, are_gone=True), _Room(state_of(book, now_s))
    found: dict[str, Action] = {}
    for _ in range(2 * len(state.claims) + 16):
        actions = decide(state, policy)
        if not actions:
            break
        for action in actions:
            carry_out(state, action, policy)
            if isinstance(action, Start):
                row = book.rows[action.job]
                if row.phase == "waiting" and not row.is_held(now_s) and room.take(state, action):
                    found[action.job] = action
            elif isinstance(action, Preempt) and action.job in found:
                room.give(state, found.pop(action.job))
            elif isinstance(action, Preempt | Shrink | Grow):
                found |= _told_to_leave(book, now_s, action)
            else:
                found[f"{type(action).__name__} {len(found)}"] = action
    return list(found.values())


def _told_to_leave(book: Book, now_s: float, action: Preempt | Shrink | Grow) -> dict[str, Action]:
    """Return who runs and has to save and leave; an elastic job starts again at its other size."""
    row = book.rows[action.job]
    if row.phase != "running" or (isinstance(action, Grow) and now_s - row.started_s < SETTLE_S):
        return {}
    if isinstance(action, Preempt):
        return {action.job: action}
    return {action.job: Preempt(action.job, f"goes on with {action.gpus} GPUs: {action.reason}")}


class _Room:
    """GPUs and kilowatts that nobody holds."""

    def __init__(self, state: FleetState) -> None:
        self._free = {name: list(pool.nodes.free) for name, pool in state.pools.items()}
        self._left_kw = {name: site.cap_kw - site.drawn_kw for name, site in state.sites.items()}

    def take(self, state: FleetState, start: Start) -> bool:
        """Take what a start needs; False where it is not there yet."""
        free, pool = self._free[start.pool], state.pools[start.pool].pool
        kw = sum(gpus for _, gpus in start.shares) * (pool.busy_kw_per_gpu - pool.idle_kw_per_gpu)
        if any(free[node] < gpus for node, gpus in start.shares):
            return False
        if pool.site and self._left_kw[pool.site] < kw - _SLACK_KW:
            return False
        self._move(start, pool.site, kw, 1)
        return True

    def give(self, state: FleetState, start: Action) -> None:
        """Give it back."""
        assert isinstance(start, Start)
        pool = state.pools[start.pool].pool
        kw = sum(gpus for _, gpus in start.shares) * (pool.busy_kw_per_gpu - pool.idle_kw_per_gpu)
        self._move(start, pool.site, kw, -1)

    def _move(self, start: Start, site: str, kw: float, sign: int) -> None:
        for node, gpus in start.shares:
            self._free[start.pool][node] -= sign * gpus
        if site:
            self._left_kw[site] -= sign * kw
