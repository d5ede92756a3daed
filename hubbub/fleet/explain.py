"""Why a job waits, until when, and what would start it now; it asks the same policy that decides."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable, Collection, Mapping

import msgspec

from hubbub.errors import InvalidInput
from hubbub.fleet.actions import Action, Preempt, Rent, Start
from hubbub.fleet.carrying import carry_out
from hubbub.fleet.clocks import clock_at
from hubbub.fleet.copies import copy_of
from hubbub.fleet.jobs import Job
from hubbub.fleet.policy import Policy, decide, heads, may_use, short_kw
from hubbub.fleet.rules import expected_s as usually_s
from hubbub.fleet.simulator import simulate
from hubbub.fleet.state import Claim, FleetState, PoolState

SPREAD = 0.2
"""Standard deviation of the logarithm of real over expected time that a band assumes."""
NUM_DRAWS = 40


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps a job waiting: `kind` is runs, starts, queue, quota, gpus, nodes, power or rank."""

    kind: str
    text: str


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """When a job starts if nothing new comes: by expected times, and the middle 80 % of draws around them.

    Seconds of the fleet's clock; None where it does not start before all known work is done.
    """

    start_s: float | None
    low_s: float | None
    high_s: float | None


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """A change that starts a job now."""

    change: str
    costs: str
    usd_per_hour: float = 0.0


def why(state: FleetState, policy: Policy, job: str) -> Reason:
    """Name the one constraint that binds a job now.

    Raises:
        InvalidInput: the fleet does not know the job.
    """
    claim = _claim(state, job)
    if claim.pool is not None:
        return Reason(kind="runs", text=_running(claim))
    head = claim.tenant.queues[claim.job.priority][0][2]
    if head is not claim:
        bound = _bound(state, policy, head).text
        return Reason(kind="queue", text=f"{head.job.id} of its own tenant is before it, and waits: {bound}")
    return _bound(state, policy, claim)


def _claim(state: FleetState, job: str) -> Claim:
    if job not in state.claims:
        raise InvalidInput(
            f"job {job!r} is neither waiting nor running; it has ended, or was never submitted"
        )
    return state.claims[job]


def _bound(state: FleetState, policy: Policy, claim: Claim) -> Reason:
    """Name what binds the head of a queue."""
    job = claim.job
    if not job.is_preemptible:
        for rank, other in heads(state, policy):
            if other is claim:
                break
            told = f"it may not be preempted, so {other.job.id} ({_named(rank)}), which waits, goes first"
            return Reason(kind="rank", text=told)
    most, held = claim.tenant.tenant.max_gpus, claim.tenant.held_gpus
    if most and held + (job.min_gpus or job.gpus) > most:
        told = f"{job.tenant} holds {held:,} GPUs and may hold {most:,}; it needs {job.gpus:,} more"
        return Reason(kind="quota", text=told)
    pools = [pool for pool in state.pools.values() if may_use(pool, claim)]
    fits = [pool for pool in pools if pool.nodes.fits(job.gpus)]
    if fits:
        pool = min(fits, key=lambda each: short_kw(each, job.gpus))
        lack_kw = short_kw(pool, job.gpus)
        if pool.site is None or lack_kw <= 0:
            return Reason(kind="starts", text=f"it starts at once on {job.gpus:,} GPUs of {pool.pool.name}")
        return Reason(
            kind="power",
            text=f"GPUs are free in {pool.pool.name}, but {pool.site.name} draws "
            f"{pool.site.drawn_kw:,.0f} of {pool.site.cap_kw:,.0f} kW, and {lack_kw:,.0f} kW lack",
        )
    pool = max(pools or state.pools.values(), key=lambda each: each.nodes.num_free)
    if pool.nodes.num_free >= job.gpus:
        return Reason(
            kind="nodes",
            text=f"{pool.nodes.num_free:,} GPUs are free in {pool.pool.name}, but on parts of nodes; "
            f"it needs {-(-job.gpus // pool.pool.gpus_per_node):,}, and {pool.nodes.num_empty:,} are empty",
        )
    free = f"{pool.nodes.num_free:,} are free in {pool.pool.name}"
    return Reason(kind="gpus", text=f"it needs {job.gpus:,} GPUs, {free}; {_held(state)}")


def _running(claim: Claim) -> str:
    assert claim.pool is not None
    asked = f" (it asked for {claim.job.gpus:,}, and grows when they are free)"
    clock = clock_at(claim.pool.pool, claim.kw_per_gpu)
    return (
        f"it runs on {claim.gpus:,} GPUs of {claim.pool.pool.name}"
        + (asked if claim.gpus < claim.job.gpus else "")
        + (f", at {clock:.0%} of their clock while power lacks" if clock < 1 else "")
    )


def _named(rank: tuple[bool, int]) -> str:
    return f"{'by right, ' if rank[0] else ''}priority {rank[1]}"


def _held(state: FleetState) -> str:
    """Tell who holds how much."""
    held = {name: tenant.held_gpus for name, tenant in state.tenants.items() if tenant.held_gpus}
    told = [
        f"{name} holds {gpus:,} (priority {state.tenants[name].tenant.priority})"
        for name, gpus in sorted(held.items(), key=lambda each: -each[1])
    ]
    return ", ".join(told[:4]) or "the rest is out of order"


def forecast(
    state: FleetState,
    policy: Policy,
    job: str,
    *,
    spread: float = SPREAD,
    num_draws: int = NUM_DRAWS,
    seed: int = 1,
) -> Forecast:
    """Replay what is known, with the jobs' expected times, until the job starts.

    A job that has run longer than expected is taken to need half as long again.

    Raises:
        InvalidInput: the fleet does not know the job.
    """
    claim = _claim(state, job)
    if claim.pool is not None:
        return Forecast(start_s=claim.started_s, low_s=claim.started_s, high_s=claim.started_s)
    draw = random.Random(seed)
    middle = starts_of(state, policy, (job,)).get(job)
    drawn = sorted(
        starts_of(state, policy, (job,), lambda: math.exp(draw.gauss(0, spread))).get(job, math.inf)
        for _ in range(num_draws)
    )
    low, high = drawn[int(0.1 * num_draws)], drawn[min(int(0.9 * num_draws), num_draws - 1)]
    return Forecast(
        start_s=middle,
        low_s=None if math.isinf(low) else low,
        high_s=None if math.isinf(high) else high,
    )


class _StartedError(Exception):
    pass


def starts_of(
    state: FleetState,
    policy: Policy,
    jobs: Collection[str] | None = None,
    factor: Callable[[], float] = lambda: 1.0,
) -> dict[str, float]:
    """Return when jobs that wait (all, if none are named) start if nothing new comes, by one replay.

    Expected times are multiplied by what `factor` returns; who does not start is left out.
    """
    copy = copy_of(state, lambda claim: _expected(claim, state.now_s, factor()))
    wanted = (
        {name for name, claim in state.claims.items() if claim.pool is None} if jobs is None else set(jobs)
    )
    found: dict[str, float] = {}

    def watch(at: FleetState, action: Action) -> None:
        if isinstance(action, Start) and action.job in wanted:
            found.setdefault(action.job, at.now_s)
            if len(found) == len(wanted):
                raise _StartedError

    with contextlib.suppress(_StartedError):
        simulate(state.spec, (), policy, watch=watch, state=copy)
    for name in wanted:
        if (planned_s := state.claims[name].planned_s) < found.get(name, math.inf):
            found[name] = planned_s
    return found


def _expected(claim: Claim, now_s: float, factor: float) -> Job:
    job = claim.job
    expected_s = usually_s(job) * factor
    worked_s = claim.done_s + claim.worked_s(now_s)
    if expected_s <= worked_s:
        expected_s = 1.5 * worked_s
    return msgspec.structs.replace(job, run_s=expected_s)


def what_if(state: FleetState, policy: Policy, job: str) -> list[Option]:
    """Return the changes that would start a job now, the cheapest first.

    Raises:
        InvalidInput: the fleet does not know the job.
    """
    claim = _claim(state, job)
    if claim.pool is not None:
        return []
    options = [
        _fewer(state, policy, claim),
        _rented(state, claim),
        _more_power(state, policy, claim),
        _stronger(state, policy, claim),
    ]
    return sorted((option for option in options if option), key=lambda option: option.usd_per_hour)


def _fewer(state: FleetState, policy: Policy, claim: Claim) -> Option | None:
    gpus, is_elastic = claim.job.gpus, bool(claim.job.min_gpus)
    while gpus > 1:
        gpus //= 2
        smaller = msgspec.structs.replace(claim.job, gpus=gpus, min_gpus=0)
        actions = _actions_for(state, policy, smaller)
        if actions is not None and not any(isinstance(action, Preempt) for action in actions):
            longer = f"{claim.job.gpus / gpus:.2g} times as long"
            told = f"{longer} until it grows" if is_elastic else f"{longer}, if it scales"
            return Option(change=f"with {gpus:,} GPUs", costs=told)
    return None


def _more_power(state: FleetState, policy: Policy, claim: Claim) -> Option | None:
    """Tell how much power is lacking where nothing else is."""
    for pool in state.pools.values():
        lack_kw = short_kw(pool, claim.job.gpus)
        if pool.site is None or lack_kw <= 0 or not pool.nodes.fits(claim.job.gpus):
            continue
        name, cap_kw = pool.site.name, pool.site.cap_kw
        actions = _actions_for(state, policy, claim.job, {name: cap_kw + lack_kw + 1e-3})
        if actions is not None:
            return Option(
                change=f"with {lack_kw:,.0f} kW more at {name}",
                costs=f"its cap of {cap_kw:,.0f} kW would be {cap_kw + lack_kw:,.0f}",
                usd_per_hour=math.inf,
            )
    return None


def _rented(state: FleetState, claim: Claim) -> Option | None:
    offers = [
        pool for pool in state.pools.values() if pool.pool.is_rented and _has_left(pool, claim.job.gpus)
    ]
    if not offers:
        return None
    pool = min(offers, key=lambda offer: offer.pool.usd_per_gpu_hour).pool
    usd = pool.usd_per_gpu_hour * claim.job.gpus
    return Option(
        change=f"rented from {pool.name} at ${pool.usd_per_gpu_hour:g} a GPU-hour",
        costs=f"${usd:,.0f} an hour, there after {pool.lead_s / 60:.0f} min",
        usd_per_hour=usd,
    )


def _has_left(pool: PoolState, gpus: int) -> bool:
    wanted = -(-gpus // pool.pool.gpus_per_node)
    return pool.num_active + pool.num_ordered + wanted <= pool.pool.num_nodes


def _stronger(state: FleetState, policy: Policy, claim: Claim) -> Option | None:
    priorities = sorted({other.job.priority for other in state.claims.values()})
    for priority in (*(p for p in priorities if p > claim.job.priority), priorities[-1] + 1):
        actions = _actions_for(state, policy, msgspec.structs.replace(claim.job, priority=priority))
        if actions is not None:
            leaving = [action.job for action in actions if isinstance(action, Preempt)]
            told = (
                f"{len(leaving)} jobs leave: {', '.join(leaving[:3])}" if leaving else "nobody has to leave"
            )
            return Option(change=f"with priority {priority}", costs=told, usd_per_hour=math.inf)
    return None


def _actions_for(
    state: FleetState, policy: Policy, job: Job, caps_kw: Mapping[str, float] | None = None
) -> list[Action] | None:
    """Return what the policy would do on a copy until the changed job starts, None where it does not."""
    copy = copy_of(state, lambda claim: job if claim.job.id == job.id else claim.job)
    for site, cap_kw in (caps_kw or {}).items():
        copy.sites[site].cap_kw = cap_kw
    done: list[Action] = []
    for _ in range(2 * len(copy.claims) + 8):
        actions = decide(copy, policy)
        if not actions or any(isinstance(action, Rent) for action in actions):
            return None
        done += actions
        for action in actions:
            if isinstance(action, Start) and action.job == job.id:
                return done
            carry_out(copy, action, policy)
    return None
