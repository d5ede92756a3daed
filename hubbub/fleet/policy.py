"""Who runs now: one pure function of the fleet's state, the same for the simulator and for live schedulers.

Order. Each tenant has a queue for each priority. The heads are asked in order of: would it hold by right
(within its tenant's guarantee); priority; then the chosen order (first come; shortest expected; the tenant
that holds least of its share). The head of a queue is not passed by what is behind it.

Taking. A head that does not fit may take from what ranks below it, (by right, priority) compared in this
order (`taking`): whoever leaves saves first, an elastic job gives up a part. So a sister's idle GPUs are lent
by themselves, and taken back by whom they are guaranteed to. A job that cannot be preempted may not start
while one of higher rank waits.

Power. A start must fit under its site's cap; where the cap falls, clocks do, then jobs leave (`power`).

What is left. Nothing waits that ranks as high: clocks rise again, and elastic jobs grow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hubbub.fleet.actions import Action, Grow, Release, Rent, Start
from hubbub.fleet.claims import Claim, Rank
from hubbub.fleet.draining import drains
from hubbub.fleet.goodput import effective_share
from hubbub.fleet.placement import Share
from hubbub.fleet.pools import PoolState
from hubbub.fleet.power import SLACK_KW, quicken, shed, short_kw
from hubbub.fleet.rules import ORDERS, Order, Policy, expected_s
from hubbub.fleet.state import FleetState
from hubbub.fleet.taking import take
from hubbub.fleet.tenants import TenantState

__all__ = ["ORDERS", "Order", "Policy", "decide", "heads", "may_use", "short_kw"]

_BY_RIGHT = "within its tenant's guarantee"
_FREE = "on GPUs that nobody with a better claim wants"
_FEWER = "on fewer GPUs than it asked for, which it is content with"
_SPARE = "its node failed; a hot spare takes its place"


def decide(state: FleetState, policy: Policy) -> list[Action]:
    """Return what to do next, at most one start with what it takes; empty: nothing.

    Call it again after carrying the actions out, until it returns nothing. It changes nothing itself.
    """
    for site in state.sites.values():
        if site.drawn_kw > site.cap_kw + SLACK_KW:
            return shed(state, site)
    if (state.has_news or policy.drains) and (news := _news(state, policy)):
        return news
    if not state.num_waiting:
        return _improve(state, None) if state.reduced else []
    waiting = heads(state, policy)
    if state.reduced and waiting and (raised := quicken(state, waiting[0][0])):
        return raised
    blocked: Rank | None = None
    for rank, claim in waiting:
        if blocked is not None and not claim.job.is_preemptible and rank < blocked:
            continue
        if actions := _admit(state, policy, claim, rank):
            return actions
        if blocked is None:
            blocked = rank
    return _improve(state, blocked) if state.reduced else []


def _news(state: FleetState, policy: Policy) -> list[Action]:
    """Deal with what came by itself: nodes that failed or lie idle, deliveries that are better swapped."""
    if policy.drains and (found := drains(state)):
        return found
    if state.orphans and (saved := _on_spares(state)):
        return [saved]
    if state.supply is not None and (swaps := state.supply.swaps()):
        return list(swaps)
    return _release(state)


def heads(state: FleetState, policy: Policy) -> list[tuple[Rank, Claim]]:
    """Return the heads of all queues, strongest first; without those of tenants that hold all they may."""
    found = []
    before = _LATER.get(policy.order)
    for tenant in state.queuing.values():
        room = tenant.guaranteed_gpus - tenant.held_gpus
        most = tenant.tenant.max_gpus
        for priority, queue in tenant.queues.items():
            order, number, claim = queue[0]
            gpus = claim.job.gpus
            if not most or tenant.held_gpus + (claim.job.min_gpus or gpus) <= most:
                later = before(state, tenant, claim) if before else 0.0
                found.append((gpus > room, -priority, later, order, number, claim))
    if len(found) == 1:
        return [((not found[0][0], -found[0][1]), found[0][5])]
    found.sort()
    return [((not is_beyond, -lower), claim) for is_beyond, lower, _, _, _, claim in found]


def _share_held(state: FleetState, tenant: TenantState, claim: Claim) -> float:
    return tenant.held_gpus / max(tenant.guaranteed_gpus, 1)


def _share_used(state: FleetState, tenant: TenantState, claim: Claim) -> float:
    return tenant.used_at(state.now_s) / max(tenant.guaranteed_gpus, 1)


def _waste(state: FleetState, tenant: TenantState, claim: Claim) -> float:
    """Return the share of its GPUs' time that a job would not spend on work that counts."""
    job, pool = claim.job, next(iter(state.pools.values())).pool
    left_s = max(expected_s(job) - claim.done_s, 1.0)
    useful = left_s / (left_s + job.restart_s) if claim.num_starts else 1.0
    if pool.mttf_node_days:
        mttf_s = pool.mttf_node_days * 86_400 / -(-job.gpus // pool.gpus_per_node)
        interval_s = min(job.checkpoint_s or left_s, left_s)
        useful *= effective_share(interval_s, job.restart_s, mttf_s) if interval_s < 50 * mttf_s else 0.0
    return -useful


_LATER: dict[str, Callable[[FleetState, TenantState, Claim], float]] = {
    "fair": _share_held, "fairshare": _share_used, "goodput": _waste,
}  # fmt: skip


def may_use(pool: PoolState, claim: Claim) -> bool:
    """Tell whether a tenant may run in a pool: in a rented one only who pays its price."""
    return not pool.pool.is_rented or pool.pool.usd_per_gpu_hour <= claim.tenant.tenant.max_usd_per_gpu_hour


def _admit(state: FleetState, policy: Policy, claim: Claim, rank: Rank) -> list[Action]:
    job, gpus = claim.job, claim.job.gpus
    if job.min_gpus and claim.tenant.tenant.max_gpus:
        gpus = min(gpus, claim.tenant.tenant.max_gpus - claim.tenant.held_gpus)
    pools: Sequence[PoolState] = state.own_pools
    if state.rents:
        pools = [pool for pool in state.pools.values() if may_use(pool, claim)]
    for pool in pools:
        nodes, site = pool.nodes, pool.site
        if (
            gpus <= nodes.num_free
            and (site is None or site.drawn_kw + gpus * pool.kw_per_gpu - site.cap_kw <= SLACK_KW)
            and (shares := nodes.place(gpus))
        ):
            return [Start(job.id, pool.pool.name, tuple(shares), _BY_RIGHT if rank[0] else _FREE, rank[0])]
    if policy.preempts and (taken := take(state, policy, claim, rank, pools)):
        return taken
    if job.min_gpus:
        for pool in pools:
            if fewer := _most_that_fit(pool, job.min_gpus, gpus):
                return [Start(job.id, pool.pool.name, tuple(fewer), _FEWER, rank[0])]
    return _rent(state, claim) if state.rents else []


def _most_that_fit(pool: PoolState, least: int, most: int) -> Sequence[Share] | None:
    """Return where as many GPUs as possible would go, whole nodes if more than one; None below `least`."""
    size = pool.nodes.gpus_per_node
    most = min(most, pool.nodes.num_free)
    if pool.site is not None and pool.kw_per_gpu:
        most = min(most, int((pool.site.cap_kw - pool.site.drawn_kw + SLACK_KW) / pool.kw_per_gpu))
    whole = min(most // size, pool.nodes.num_empty) * size
    for gpus in (most, whole, *range(min(most, size), 0, -1)):
        if least <= gpus <= most and (shares := pool.nodes.place(gpus)):
            return shares
    return None


def _improve(state: FleetState, blocked: Rank | None) -> list[Action]:
    """Raise clocks, then let the strongest elastic job grow; none that ranks below who waits."""
    if raised := quicken(state, None):
        return raised
    for claim in sorted(state.reduced.values(), key=lambda each: (each.rank, -each.number), reverse=True):
        pool, job = claim.pool, claim.job
        if pool is None or (blocked is not None and claim.rank <= blocked):
            return []
        most = job.gpus
        if claim.tenant.tenant.max_gpus:
            most = min(most, claim.tenant.tenant.max_gpus - claim.tenant.held_gpus + claim.gpus)
        more = _most_that_fit(pool, 1, most - claim.gpus) if most > claim.gpus else None
        if more:
            # it saves and restarts: worth it only where that is made up for
            gpus = claim.gpus + sum(num for _, num in more)
            left_s = claim.left_s(state.now_s, expected_s(job)) * job.gpus
            if left_s / claim.gpus > job.restart_s + left_s / gpus:
                return [
                    Grow(job.id, gpus, joined(claim.shares, more), "GPUs are free, and it asked for more")
                ]
    return []


def joined(shares: Sequence[Share], more: Sequence[Share]) -> tuple[Share, ...]:
    """Add shares up, node by node."""
    found = dict(shares)
    for node, gpus in more:
        found[node] = found.get(node, 0) + gpus
    return tuple(found.items())


def _on_spares(state: FleetState) -> Start | None:
    """Let a gang whose node failed go on at once, where a hot spare stands by."""
    for name, orphan in state.orphans.items():
        claim, pool = state.claims.get(name), orphan.pool
        if claim is None or claim.pool is not None or orphan.at_s != state.now_s or not pool.spares:
            continue
        free, gpus = pool.nodes.free, orphan.gpus + sum(num for _, num in orphan.kept)
        if short_kw(pool, gpus) <= SLACK_KW and all(
            free[node] >= num and not pool.nodes.is_out(node) for node, num in orphan.kept
        ):
            shares = (*orphan.kept, (pool.spares[0], orphan.gpus))
            by_right = claim.tenant.held_gpus + gpus <= claim.tenant.guaranteed_gpus
            return Start(name, pool.pool.name, shares, _SPARE, by_right)
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
        after_s = pool.pool.idle_release_s
        idle = [node for node, idle_s in pool.idle_since_s.items() if idle_s + after_s <= state.now_s]
        if idle:
            return [Release(pool.pool.name, tuple(idle), f"idle for {pool.pool.idle_release_s:g} s")]
    return []
