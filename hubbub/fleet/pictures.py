"""What the pictures of a fleet are drawn from: moments and frames, the same live and replayed.

A moment is a few numbers, a frame also knows nodes and queue. It draws nothing: `page/` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import nlargest, nsmallest
from itertools import chain, groupby

import msgspec

from hubbub.fleet.explain import why
from hubbub.fleet.policy import Policy
from hubbub.fleet.rules import expected_s
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

    def learn(self, state: FleetState) -> dict[str, int]:
        """Return the tenants' numbers; who is new is next."""
        for name in state.tenants:
            if name not in self._numbers:
                self._numbers[name] = len(self.names)
                self.names.append(name)
        return self._numbers


def moment_of(state: FleetState) -> Moment:
    """Read a moment off a state."""
    rented: dict[str, int] = {}
    for pool, held in held_in(state).items():
        if state.pools[pool].pool.is_rented:
            for name, gpus in held.items():
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


def held_in(state: FleetState) -> dict[str, dict[str, int]]:
    """Return by pool the GPUs that each tenant holds."""
    held: dict[str, dict[str, int]] = {name: {} for name in state.pools}
    for claim in chain(state.fixed.values(), *(claims.values() for claims in state.running.values())):
        if claim.pool is not None:
            those, tenant = held[claim.pool.pool.name], claim.job.tenant
            those[tenant] = those.get(tenant, 0) + claim.gpus
    return held


def nodes_out(pool: PoolState) -> list[int]:
    """Return the nodes that are there and out of order."""
    return sorted(pool.nodes.removed - set(pool.given_back))


def node_map(pool: PoolState, numbers: Mapping[str, int], out: Mapping[tuple[str, int], str]) -> list[int]:
    """Return what each node of a pool is, in runs; nodes that were never there are absent."""
    free = pool.nodes.free
    codes = [FREE] * len(free) + [ABSENT] * (pool.pool.num_nodes - len(free))
    for node, claims in pool.on_node.items():
        if claims:
            tenant = claims[0].job.tenant if len(claims) == 1 else _main_tenant(claims, node)
            codes[node] = FIRST_TENANT + 2 * numbers[tenant] + (free[node] > 0)
    for node in pool.given_back:
        codes[node] = ABSENT
    for node in nodes_out(pool):
        codes[node] = DRAINED if out.get((pool.pool.name, node), "").startswith("drained") else DOWN
    return [value for code, run in groupby(codes) for value in (code, len(list(run)))]


def _main_tenant(claims: Sequence[Claim], node: int) -> str:
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
            ends_s=round(
                state.now_s + claim.left_s(state.now_s, expected_s(claim.job)) / (claim.rate or 1.0), 1
            ),
        )
        for claim in largest
    ]


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
    out, moment, numbers = out or {}, moment_of(state), roll.learn(state)
    broken = {(name, node): out.get((name, node), "down")
              for name, pool in state.pools.items() for node in nodes_out(pool)}  # fmt: skip
    return Frame(
        moment=moment,
        tenants=holdings_of(state, moment, roll),
        nodes={name: node_map(pool, numbers, out) for name, pool in state.pools.items()},
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
