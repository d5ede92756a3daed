"""What the pictures of a fleet are drawn from: moments, frames, money; the same live and replayed.

A moment is a few numbers, a frame also knows nodes and queue. It draws nothing: `page/` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import nlargest, nsmallest
from itertools import groupby
from typing import Literal, TypeAlias

import msgspec

from hubbub.fleet.explain import why
from hubbub.fleet.policy import Policy
from hubbub.fleet.state import Claim, FleetState, PoolState

FREE, ABSENT, DOWN, DRAINED, FIRST_TENANT = range(5)
"""What a node of a map is; a tenant's number n gives FIRST_TENANT + 2 n, and 1 more where GPUs are free."""
MAX_RUNNERS = 8
MAX_ROWS = 40
"""Waiting jobs that a frame names; the rest are counted."""


class Moment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The fleet in a few numbers."""

    at_s: float
    held: dict[str, int]
    """GPUs by tenant."""
    rented: dict[str, int]
    """Of these, in rented pools."""
    drawn_kw: dict[str, float]
    """By site."""
    cap_kw: dict[str, float]
    num_waiting: int
    num_gpus: int
    """In the pools now: owned, and rented."""
    num_owned: int
    num_out: int
    """Nodes that are out of order."""


class Holding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a tenant has, and waits for."""

    tenant: str
    priority: int
    guaranteed: int
    held: int
    borrowed: int
    rented: int
    num_running: int
    num_waiting: int


class Waiter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A job that waits; `start_s` is when it is expected to start, or did in a replay."""

    job: str
    name: str
    tenant: str
    gpus: int
    since_s: float
    why: str
    start_s: float | None = None


class Runner(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A job that runs; `ends_s` is when it is expected to end."""

    job: str
    name: str
    tenant: str
    gpus: int
    pool: str
    started_s: float
    ends_s: float


class Odd(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A node that is out, or a lemon, and why."""

    node: str
    why: str


class Frame(msgspec.Struct, kw_only=True):
    """The fleet at one moment, as one screen shows it."""

    moment: Moment
    tenants: list[Holding]
    nodes: dict[str, list[int]]
    """By pool: what a node is and how many in a row are so, in turns."""
    queue: list[Waiter]
    running: list[Runner]
    """The largest."""
    out: list[Odd] = []
    lemons: list[Odd] = []
    notes: tuple[str, ...] = ()


class Roll:
    """The tenants in order of their first appearance, so that each keeps its number."""

    def __init__(self, state: FleetState) -> None:
        ranked = sorted(state.tenants.values(), key=lambda each: -each.tenant.priority)
        self.names = [each.tenant.name for each in ranked]
        self._numbers = {name: n for n, name in enumerate(self.names)}

    def number(self, name: str) -> int:
        """Return a tenant's number."""
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]


def moment_of(state: FleetState) -> Moment:
    """Read a moment off a state."""
    rented: dict[str, int] = {}
    for pool in state.pools.values():
        if pool.pool.is_rented:
            for name, gpus in held_in(pool).items():
                rented[name] = rented.get(name, 0) + gpus
    return Moment(
        at_s=state.now_s,
        held={name: tenant.held_gpus for name, tenant in state.tenants.items() if tenant.held_gpus},
        rented=rented,
        drawn_kw={name: round(site.drawn_kw, 3) for name, site in state.sites.items()},
        cap_kw={name: round(site.cap_kw, 3) for name, site in state.sites.items()},
        num_waiting=state.num_waiting,
        num_gpus=_gpus_in(state.pools.values()),
        num_owned=_gpus_in(pool for pool in state.pools.values() if not pool.pool.is_rented),
        num_out=sum(len(nodes_out(pool)) for pool in state.pools.values()),
    )


def _gpus_in(pools: Iterable[PoolState]) -> int:
    return sum(pool.num_active * pool.pool.gpus_per_node for pool in pools)


def held_in(pool: PoolState) -> dict[str, int]:
    """Return the GPUs that each tenant holds in a pool."""
    held: dict[str, int] = {}
    claims = {id(claim): claim for claims in pool.on_node.values() for claim in claims}
    for claim in claims.values():
        held[claim.job.tenant] = held.get(claim.job.tenant, 0) + sum(gpus for _, gpus in claim.shares)
    return held


def nodes_out(pool: PoolState) -> list[int]:
    """Return the nodes that are there and out of order."""
    absent = set(pool.given_back)
    return [n for n in range(len(pool.nodes.free)) if pool.nodes.is_out(n) and n not in absent]


def node_map(pool: PoolState, roll: Roll, is_drained: Mapping[tuple[str, int], str]) -> list[int]:
    """Return what each node of a pool is, in runs; nodes that were never there are absent."""
    free, whole, absent = pool.nodes.free, pool.pool.gpus_per_node, set(pool.given_back)
    codes = []
    for node in range(len(free)):
        if pool.nodes.is_out(node):
            is_left = is_drained.get((pool.pool.name, node), "").startswith("drained")
            code = ABSENT if node in absent else DRAINED if is_left else DOWN
        elif free[node] == whole:
            code = FREE
        else:
            code = FIRST_TENANT + 2 * roll.number(_main_tenant(pool, node)) + (free[node] > 0)
        codes.append(code)
    codes += [ABSENT] * (pool.pool.num_nodes - len(codes))
    return [value for code, run in groupby(codes) for value in (code, len(list(run)))]


def _main_tenant(pool: PoolState, node: int) -> str:
    claims = pool.on_node[node]
    if len(claims) == 1:
        return claims[0].job.tenant
    held: dict[str, int] = {}
    for claim in claims:
        gpus = next(gpus for at, gpus in claim.shares if at == node)
        held[claim.job.tenant] = held.get(claim.job.tenant, 0) + gpus
    return max(held, key=lambda name: held[name])


def waiters_of(
    state: FleetState,
    policy: Policy,
    *,
    names: Mapping[str, str] | None = None,
    held: Mapping[str, str] | None = None,
    starts: Mapping[str, float] | None = None,
    max_rows: int = MAX_ROWS,
) -> list[Waiter]:
    """Return who waits and why: the heads of the queues first, then who is behind them.

    `held` says why an engine holds a job back, `starts` when jobs are expected to start. Behind a head
    nothing but the head binds.
    """
    names, held, starts = names or {}, held or {}, starts or {}
    told: list[tuple[int, float, Claim]] = []
    for tenant in state.tenants.values():
        for queue in tenant.queues.values():
            first = nsmallest(max_rows, queue, key=lambda entry: entry[:2])
            told += [(place, claim.waiting_since_s, claim) for place, (_, _, claim) in enumerate(first)]
    return [
        Waiter(
            job=claim.job.id,
            name=names.get(claim.job.id, ""),
            tenant=claim.job.tenant,
            gpus=claim.job.gpus,
            since_s=round(since_s, 1),
            why=held.get(claim.job.id) or _why(state, policy, claim, place),
            start_s=starts.get(claim.job.id),
        )
        for place, since_s, claim in sorted(told, key=lambda each: each[:2])[:max_rows]
    ]


def _why(state: FleetState, policy: Policy, claim: Claim, place: int) -> str:
    if not place:
        return why(state, policy, claim.job.id).text
    return f"{place} of {claim.job.tenant}'s own {'is' if place == 1 else 'are'} before it"


def runners_of(state: FleetState, names: Mapping[str, str]) -> list[Runner]:
    """Return the largest jobs that run; their ends by what was said that they take."""
    running = (claim for claim in state.claims.values() if claim.pool is not None)
    largest = nlargest(MAX_RUNNERS, running, key=lambda claim: (claim.gpus, -claim.number))
    return [
        Runner(
            job=claim.job.id,
            name=names.get(claim.job.id, ""),
            tenant=claim.job.tenant,
            gpus=claim.gpus,
            pool=claim.pool.pool.name if claim.pool else "",
            started_s=round(claim.started_s, 1),
            ends_s=round(expected_end_s(claim, state.now_s), 1),
        )
        for claim in largest
    ]


def expected_end_s(claim: Claim, now_s: float) -> float:
    """Return when a running job ends, by what policies may know: never by how long it will really take."""
    job = claim.job
    total_s = job.run_s if job.expected_s is None else job.expected_s
    return now_s + claim.left_s(now_s, total_s) / (claim.rate or 1.0)


def frame_of(
    state: FleetState,
    roll: Roll,
    queue: list[Waiter],
    *,
    names: Mapping[str, str] | None = None,
    out: Mapping[tuple[str, int], str] | None = None,
    lemons: Mapping[tuple[str, int], str] | None = None,
    notes: tuple[str, ...] = (),
) -> Frame:
    """Read a frame off a state; why nodes are out only a scheduler tells."""
    out, moment = out or {}, moment_of(state)
    broken = {(name, node): out.get((name, node), "down")
              for name, pool in state.pools.items() for node in nodes_out(pool)}  # fmt: skip
    return Frame(
        moment=moment,
        tenants=holdings_of(state, moment, roll),
        nodes={name: node_map(pool, roll, out) for name, pool in state.pools.items()},
        queue=queue,
        running=runners_of(state, names or {}),
        out=_odd(broken),
        lemons=_odd(lemons or {}),
        notes=notes,
    )


def _odd(nodes: Mapping[tuple[str, int], str]) -> list[Odd]:
    return [Odd(node=f"{pool}-{node + 1}", why=why) for (pool, node), why in sorted(nodes.items())]


def holdings_of(state: FleetState, moment: Moment, roll: Roll) -> list[Holding]:
    """Return who holds what, in the order of the roll."""
    num_running: dict[str, int] = {}
    for claim in state.claims.values():
        if claim.pool is not None:
            num_running[claim.job.tenant] = num_running.get(claim.job.tenant, 0) + 1
    for name in state.tenants:
        roll.number(name)
    return [
        Holding(
            tenant=name,
            priority=tenant.tenant.priority,
            guaranteed=tenant.guaranteed_gpus,
            held=tenant.held_gpus,
            borrowed=max(tenant.held_gpus - tenant.right_gpus, 0),
            rented=moment.rented.get(name, 0),
            num_running=num_running.get(name, 0),
            num_waiting=sum(map(len, tenant.queues.values())),
        )
        for name in roll.names
        if (tenant := state.tenants.get(name)) is not None
    ]


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
        for name, pool in state.pools.items():
            if not pool.pool.usd_per_gpu_hour:
                continue
            counted_s = pool.active_node_s + pool.num_active * (state.now_s - pool.counted_s)
            node_s = counted_s - self._counted.get(name, 0.0) if is_continued else pool.num_active * passed_s
            self._counted[name] = counted_s
            if node_s > 0:
                self._split(pool, node_s)

    def _split(self, pool: PoolState, node_s: float) -> None:
        usd = node_s * pool.pool.gpus_per_node / 3_600 * pool.pool.usd_per_gpu_hour
        day = int(self._at_s // 86_400)
        if not self.days or self.days[-1].day != day:
            self.days.append(Spending(day=day))
        kind = self.days[-1].rented if pool.pool.is_rented else self.days[-1].own
        num_gpus = max(pool.num_active * pool.pool.gpus_per_node, 1)
        held = held_in(pool)
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
