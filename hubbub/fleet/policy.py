"""Who runs now: one pure function of the fleet's state, the same for the simulator and for live schedulers.

Order. Each tenant has a queue for each priority. The heads are asked in order of: would it hold by right
(within its tenant's guarantee); priority; then the chosen order (first come; shortest expected; the tenant
that holds least of its share). The head of a queue is not passed by what is behind it.

Taking. A head that does not fit may preempt what ranks below it, (by right, priority) compared in this order:
the lowest rank first, within it who came last. A job of whole nodes gets those on which nothing of its own
rank or above runs. So a sister's idle GPUs are
lent by themselves, and taken back by whom they are guaranteed to. A job that cannot be preempted may not
start while one of higher rank waits.

Power. A start must fit under its site's cap. Where the cap falls below what is drawn, the lowest rank leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Literal, TypeAlias

import msgspec

from hubbub.fleet.actions import Action, Preempt, Release, Rent, Start
from hubbub.fleet.jobs import Job
from hubbub.fleet.state import Claim, FleetState, PoolState, Rank, SiteState

Order: TypeAlias = Literal["fifo", "sjf", "fair"]
_SLACK_KW = 1e-6
"""Sums of floats may be off by so little."""
_MAX_LOOKED_AT = 256
_BY_RIGHT = "within its tenant's guarantee"
_FREE = "on GPUs that nobody with a better claim wants"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What may be chosen about deciding."""

    order: Order = "fifo"
    preempts: bool = True

    def place_of(self, job: Job, now_s: float) -> float:
        """Return a job's place in its tenant's queue, the smallest first."""
        return (
            (job.run_s if job.expected_s is None else job.expected_s) if self.order == "sjf" else job.submit_s
        )


def decide(state: FleetState, policy: Policy) -> list[Action]:
    """Return what to do next, at most one start with the preemptions that it needs; empty: nothing.

    Call it again after carrying the actions out, until it returns nothing. It changes nothing itself.
    """
    for site in state.sites.values():
        if site.drawn_kw > site.cap_kw + _SLACK_KW:
            return _shed(state, site)
    if state.rents and (released := _release(state)):
        return released
    if not state.num_waiting:
        return []
    highest_blocked: Rank | None = None
    for rank, claim in heads(state, policy):
        if highest_blocked is not None and not claim.job.is_preemptible and rank < highest_blocked:
            continue
        actions = _admit(state, policy, claim, rank)
        if actions:
            return actions
        if highest_blocked is None:
            highest_blocked = rank
    return []


def heads(state: FleetState, policy: Policy) -> list[tuple[Rank, Claim]]:
    """Return the heads of all queues, strongest first."""
    found = []
    is_fair = policy.order == "fair"
    for tenant in state.tenants.values():
        if not tenant.queues:
            continue
        room = tenant.guaranteed_gpus - tenant.held_gpus
        share = tenant.held_gpus / max(tenant.guaranteed_gpus, 1) if is_fair else 0.0
        for priority, queue in tenant.queues.items():
            order, number, claim = queue[0]
            found.append((claim.job.gpus > room, -priority, share, order, number, claim))
    if len(found) > 1:
        found.sort()
    return [((not is_beyond, -lower), claim) for is_beyond, lower, _, _, _, claim in found]


def _admit(state: FleetState, policy: Policy, claim: Claim, rank: Rank) -> list[Action]:
    job = claim.job
    gpus = job.gpus
    for pool in state.pools.values():
        if (
            gpus <= pool.nodes.num_free
            and short_kw(pool, gpus) <= _SLACK_KW
            and (shares := pool.nodes.place(gpus))
        ):
            return [Start(job.id, pool.pool.name, tuple(shares), _BY_RIGHT if rank[0] else _FREE, rank[0])]
    taken = _take(state, claim, rank) if policy.preempts else []
    return taken or (_rent(state, claim) if state.rents else [])


def _take(state: FleetState, claim: Claim, rank: Rank) -> list[Action]:
    """Preempt as few as it needs in the first pool where that is enough."""
    if not any(held for other, held in state.running.items() if other < rank):
        return []
    for pool in state.pools.values():
        space = _for_space(state, pool, claim.job.gpus, rank)
        victims = None if space is None else _for_power(state, pool, claim.job.gpus, rank, space)
        if victims:
            why = "its tenant's guarantee" if rank[0] else f"priority {rank[1]}"
            reason = f"gives way to {claim.job.id} ({why})"
            return [Preempt(victim, reason, claim.job.id) for victim in victims]
    return []


def _for_space(state: FleetState, pool: PoolState, gpus: int, rank: Rank) -> dict[str, Claim] | None:
    """Return who must leave a pool so that a gang fits, None where even that is not enough."""
    if pool.nodes.fits(gpus):
        return {}
    if gpus < pool.nodes.gpus_per_node and (found := _for_part(state, pool, gpus, rank)):
        return found
    wanted = -(-gpus // pool.nodes.gpus_per_node) - pool.nodes.num_empty
    clearable = pool.clearable()
    lower = [ceiling for ceiling in sorted(clearable) if ceiling < rank]
    if sum(len(clearable[ceiling]) for ceiling in lower) < wanted:
        return None
    nodes = (node for ceiling in lower for node in reversed(clearable[ceiling]))
    return {claim.job.id: claim for node in islice(nodes, wanted) for claim in pool.on_node[node]}


def _for_part(state: FleetState, pool: PoolState, gpus: int, rank: Rank) -> dict[str, Claim]:
    """Return who must leave one node so that a small gang fits on it; a few hundred are looked at."""
    for victim in islice(_weakest(state, rank), _MAX_LOOKED_AT):
        if victim.pool is pool:
            for node, held in victim.shares:
                if pool.nodes.free[node] + held >= gpus and not pool.nodes.is_out(node):
                    return {victim.job.id: victim}
    return {}


def _for_power(
    state: FleetState, pool: PoolState, gpus: int, rank: Rank, leaving: dict[str, Claim]
) -> dict[str, Claim] | None:
    """Add who else must leave the site so that a gang fits under its cap, None if that is not enough."""
    lacking_kw = short_kw(pool, gpus) - sum(each.kw for each in leaving.values())
    if lacking_kw <= _SLACK_KW:
        return leaving
    leaving = dict(leaving)
    for victim in _weakest(state, rank):
        if victim.job.id not in leaving and victim.pool and victim.pool.pool.site == pool.pool.site:
            leaving[victim.job.id] = victim
            lacking_kw -= victim.kw
            if lacking_kw <= _SLACK_KW:
                return leaving
    return None


def _rent(state: FleetState, claim: Claim) -> list[Action]:
    """Order what a job lacks, where its tenant pays for it and nothing is on its way yet."""
    highest_usd = claim.tenant.tenant.max_usd_per_gpu_hour
    offers = [p for p in state.pools.values() if p.pool.is_rented and p.pool.usd_per_gpu_hour <= highest_usd]
    for pool in sorted(offers, key=lambda offer: offer.pool.usd_per_gpu_hour):
        wanted = -(-claim.job.gpus // pool.pool.gpus_per_node) - pool.nodes.num_empty - pool.num_ordered
        if wanted > 0 and pool.num_active + pool.num_ordered + wanted <= pool.pool.num_nodes:
            reason = f"{claim.job.id} waits, and {claim.job.tenant} pays up to ${highest_usd:g} a GPU-hour"
            return [Rent(pool.pool.name, wanted, claim.job.id, reason)]
    return []


def _release(state: FleetState) -> list[Action]:
    for pool in state.pools.values():
        since = state.now_s - pool.pool.idle_release_s
        idle = [node for node, idle_s in pool.idle_since_s.items() if idle_s <= since]
        if idle:
            return [Release(pool.pool.name, tuple(idle), f"idle for {pool.pool.idle_release_s:g} s")]
    return []


def _weakest(state: FleetState, rank: Rank) -> Iterator[Claim]:
    """Yield who may be preempted by a rank: the lowest rank first, within it the youngest first."""
    for other in sorted(state.running):
        if other >= rank:
            return
        yield from reversed(state.running[other].values())


def _shed(state: FleetState, site: SiteState) -> list[Action]:
    """Take the weakest off a site that draws more than its cap; at last what else may not be preempted."""
    over_kw = site.drawn_kw - site.cap_kw
    actions: list[Action] = []
    for victim in chain(_weakest(state, (True, 1 << 62)), reversed(state.fixed.values())):
        if over_kw <= _SLACK_KW:
            break
        if victim.pool is not None and victim.pool.pool.site == site.name:
            over_kw -= victim.kw
            actions.append(Preempt(victim.job.id, f"{site.name} may draw {site.cap_kw:,.0f} kW"))
    return actions


def short_kw(pool: PoolState, gpus: int) -> float:
    """Return by how much a site would be above its cap with so many GPUs more; 0 or less: it would not."""
    site = pool.site
    return 0.0 if site is None else site.drawn_kw + gpus * pool.kw_per_gpu - site.cap_kw
