"""A fleet's state once more, with other jobs or times, so that a question can be answered by trying."""

from __future__ import annotations

from collections.abc import Callable

from hubbub.fleet.claims import Claim
from hubbub.fleet.jobs import Job
from hubbub.fleet.pools import PoolState
from hubbub.fleet.state import FleetState


def copy_of(state: FleetState, change: Callable[[Claim], Job] = lambda claim: claim.job) -> FleetState:
    """Return a fleet in the same state, with jobs as `change` would have them, by the same ids."""
    other = FleetState(state.spec)
    other.now_s = state.now_s
    for name, pool in state.pools.items():
        _copy_pool(pool, other, other.pools[name])
    for name, site in state.sites.items():
        other.sites[name].cap_kw = site.cap_kw
    if state.supply is not None:
        other.expect(state.supply.copied())
    for tenant in state.tenants.values():
        twin = other.tenant(tenant.tenant.name)
        twin.guaranteed_gpus, twin.used_gpu_s = tenant.guaranteed_gpus, tenant.used_gpu_s
        twin.counted_s, twin.half_life_s = tenant.counted_s, tenant.half_life_s
    seated = [claim for claim in state.claims.values() if claim.pool is not None]
    for claim in sorted(seated, key=lambda each: each.started_s):
        assert claim.pool is not None
        other.adopt(change(claim), other.pools[claim.pool.pool.name], claim.shares, claim)
    for tenant in state.tenants.values():
        for queue in tenant.queues.values():
            for order, _, claim in sorted(queue, key=lambda entry: entry[:2]):
                waiting = other.submit(change(claim), order)
                waiting.waiting_since_s = claim.waiting_since_s
                waiting.done_s, waiting.num_starts = claim.done_s, claim.num_starts
    return other


def _copy_pool(pool: PoolState, other: FleetState, twin: PoolState) -> None:
    missing = len(pool.nodes.free) - len(twin.nodes.free)
    if missing > 0:  # rented or delivered
        other.add_nodes(twin, missing)
    other.remove_nodes(twin, pool.given_back)
    twin.idle_since_s = dict(pool.idle_since_s)
    twin.num_ordered, twin.spares = pool.num_ordered, list(pool.spares)
    twin.failures, twin.drained = list(pool.failures), dict(pool.drained)
    for node in range(len(pool.nodes.free)):
        twin.nodes.avoid(node, is_avoided=pool.nodes.is_avoided(node))
        if pool.nodes.is_out(node) != twin.nodes.is_out(node):
            (twin.nodes.remove if pool.nodes.is_out(node) else twin.nodes.restore)(node)
