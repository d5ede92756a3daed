"""What was on a fleet: moments, of which fewer stay as time goes by, and money by day; it never looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from hubbub.fleet.pictures import Moment, held_in
from hubbub.fleet.state import FleetState, PoolState


class Spending(msgspec.Struct, kw_only=True):
    """Dollars of one day by tenant; GPUs that nobody holds are `idle`."""

    day: int
    """86,400 s each, from second 0 of the clock."""
    own: dict[str, float] = {}
    rented: dict[str, float] = {}


IDLE = ""
"""Nobody: who pays for GPUs that stand idle."""


class Bill:
    """Money by day and tenant, from the prices of the fleet's file; a pool without one costs nothing here."""

    def __init__(self) -> None:
        self.days: list[Spending] = []
        self._counted: dict[str, float] = {}
        self._at_s = 0.0

    def add(self, state: FleetState, *, is_continued: bool) -> None:
        """Add what passed since the last call, split by who holds what at this one.

        In a replay (`is_continued`) the state has counted the seconds of every node; a live one is read anew
        each time, and its nodes are taken to have been there since the last look.
        """
        passed_s = state.now_s - self._at_s if self._at_s else 0.0
        self._at_s = state.now_s
        held = held_in(state)
        for name, pool in state.pools.items():
            if not pool.pool.usd_per_gpu_hour:
                continue
            counted_s = pool.active_node_s + pool.num_active * (state.now_s - pool.counted_s)
            node_s = counted_s - self._counted.get(name, 0.0) if is_continued else pool.num_active * passed_s
            self._counted[name] = counted_s
            if node_s > 0:
                self._split(pool, held[name], node_s)

    def _split(self, pool: PoolState, held: Mapping[str, int], node_s: float) -> None:
        usd = node_s * pool.pool.gpus_per_node / 3_600 * pool.pool.usd_per_gpu_hour
        day = int(self._at_s // 86_400)
        if not self.days or self.days[-1].day != day:
            self.days.append(Spending(day=day))
        kind = self.days[-1].rented if pool.pool.is_rented else self.days[-1].own
        num_gpus = max(pool.num_active * pool.pool.gpus_per_node, 1)
        for name, gpus in (*held.items(), (IDLE, max(num_gpus - sum(held.values()), 0))):
            if gpus:
                share = gpus / max(num_gpus, sum(held.values()))
                kind[name] = kind.get(name, 0.0) + usd * share


Kept: TypeAlias = Literal["added", "replaced", "left", "thinned"]
"""What became of a moment: it is a new one, stands for the last one, is left out, or led to fewer of all."""


class History:
    """The moments of a day at most; of several so close that one must do, the one nearest its cap stays.

    The distance between them doubles as time goes by: seconds at first, a minute or two after a day.
    """

    def __init__(self, max_moments: int = 1_440, keep_s: float = 86_400.0) -> None:
        self.moments: list[Moment] = []
        self._max, self._keep_s = max_moments, keep_s
        self._gap_s, self._since_s = 0.0, 0.0

    def add(self, moment: Moment) -> Kept:
        """Take a moment in."""
        moments = self.moments
        if moments and moment.at_s - self._since_s < self._gap_s:
            if _headroom_kw(moment) >= _headroom_kw(moments[-1]):
                return "left"
            moments[-1] = moment
            return "replaced"
        self._since_s = moment.at_s
        moments.append(moment)
        while moments[0].at_s < moment.at_s - self._keep_s:
            moments.pop(0)
        if len(moments) <= self._max:
            return "added"
        pairs = zip(moments[1::2], moments[2::2], strict=False)
        self.moments = [moments[0], *(min(pair, key=_headroom_kw) for pair in pairs)]
        self._gap_s = (moment.at_s - self.moments[0].at_s) / len(self.moments)
        return "thinned"


def _headroom_kw(moment: Moment) -> float:
    return min((moment.cap_kw[site] - drawn for site, drawn in moment.drawn_kw.items()), default=0.0)


def columns(moments: Sequence[Moment], tenants: Sequence[str]) -> dict[str, object]:
    """Return moments by column, as a page takes them: shorter, and quick to draw."""
    moments = tuple(moments)  # the engine is looked at in another thread
    sites = list(moments[-1].drawn_kw) if moments else []
    return {
        "at_s": [round(moment.at_s, 1) for moment in moments],
        "held": {name: [moment.held.get(name, 0) for moment in moments] for name in tenants},
        "rented": [sum(moment.rented.values()) for moment in moments],
        "drawn_kw": {site: [moment.drawn_kw.get(site, 0.0) for moment in moments] for site in sites},
        "cap_kw": {site: [moment.cap_kw.get(site, 0.0) for moment in moments] for site in sites},
        "num_waiting": [moment.num_waiting for moment in moments],
        "num_gpus": [moment.num_gpus for moment in moments],
        "num_owned": [moment.num_owned for moment in moments],
        "num_out": [moment.num_out for moment in moments],
    }
