"""From whom a waiting job takes what it lacks: as few as need be, the weakest first; pure as the policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from hubbub.fleet.actions import Action, Preempt, Shrink
from hubbub.fleet.claims import Claim, Rank
from hubbub.fleet.placement import Share
from hubbub.fleet.pools import PoolState
from hubbub.fleet.power import SLACK_KW, free_kw, is_at, short_kw
from hubbub.fleet.rules import Policy
from hubbub.fleet.state import FleetState

_MAX_LOOKED_AT = 256


def take(
    state: FleetState, policy: Policy, claim: Claim, rank: Rank, pools: Sequence[PoolState]
) -> list[Action]:
    """Return who leaves, shrinks or slows in the first pool where that is enough; nothing where none is."""
    if not policy.takes_from_equals:
        for other, held in state.running.items():
            if held and other < rank:
                break
        else:
            return []
    right = "its tenant's guarantee" if rank[0] else f"priority {rank[1]}"
    why = f"gives way to {claim.job.id} ({right})"
    for pool in pools:
        leaving = _for_space(state, policy, pool, claim, rank)
        if leaving is None:
            continue
        actions, freed_kw = _told(leaving, why, claim.job.id)
        lacking_kw = short_kw(pool, claim.job.gpus) - freed_kw
        if lacking_kw > SLACK_KW:
            assert pool.site is not None
            site = pool.site
            others = (
                each
                for each in weakest(state, policy, claim, rank)
                if is_at(each, site) and each.job.id not in leaving
            )
            more = free_kw(site, others, lacking_kw, why, claim.job.id)
            if more is None:
                continue
            actions += more
        if actions:
            return actions
    return []


def weakest(state: FleetState, policy: Policy, claim: Claim, rank: Rank) -> Iterator[Claim]:
    """Yield who may be preempted for a job: the lowest rank first, within it who the policy holds weakest."""
    for other in sorted(state.running):
        if other < rank:
            yield from state.weakest_of(other, policy.weigher)
        elif other == rank and policy.takes_from_equals:
            for victim in state.weakest_of(other, policy.weigher):
                if not policy.is_worth(claim, victim, state.now_s):
                    return
                yield victim
        else:
            return


def _for_space(
    state: FleetState, policy: Policy, pool: PoolState, claim: Claim, rank: Rank
) -> dict[str, tuple[Claim, tuple[Share, ...]]] | None:
    """Return who must leave a pool, and what each keeps, so that a gang fits; None where it never does."""
    gpus, size = claim.job.gpus, pool.nodes.gpus_per_node
    if pool.nodes.fits(gpus):
        return {}
    if gpus < size:
        few = islice(weakest(state, policy, claim, rank), _MAX_LOOKED_AT)
        for victim in few:
            if victim.pool is pool:
                for node, held in victim.shares:
                    if pool.nodes.free[node] + held >= gpus and not pool.nodes.is_out(node):
                        return _leaving([victim], [node])
    if policy.weigher is None:
        return _by_node(pool, -(-gpus // size) - pool.nodes.num_empty, rank)
    return _by_job(pool, -(-gpus // size) - pool.nodes.num_empty, weakest(state, policy, claim, rank))


def _by_node(pool: PoolState, wanted: int, rank: Rank) -> dict[str, tuple[Claim, tuple[Share, ...]]] | None:
    """Clear so many nodes, the weakest' first; how many there are is counted, not searched."""
    clearable = pool.clearable()
    lower = [ceiling for ceiling in sorted(clearable) if ceiling < rank]
    if sum(len(clearable[ceiling]) for ceiling in lower) < wanted:
        return None
    nodes = list(islice((node for ceiling in lower for node in reversed(clearable[ceiling])), wanted))
    return _leaving([claim for node in nodes for claim in pool.on_node[node]], nodes)


def _by_job(
    pool: PoolState, wanted: int, victims: Iterable[Claim]
) -> dict[str, tuple[Claim, tuple[Share, ...]]] | None:
    """Clear so many nodes, letting jobs go in the order given; who is on none of them stays."""
    size, freed, cleared = pool.nodes.gpus_per_node, dict[int, int](), list[int]()
    if wanted <= 0:
        return None
    for victim in victims:
        if victim.pool is not pool:
            continue
        for node, held in victim.shares:
            freed[node] = freed.get(node, pool.nodes.free[node]) + held
            if freed[node] == size and not pool.nodes.is_out(node):
                cleared.append(node)
        if len(cleared) >= wanted:
            nodes = cleared[:wanted]
            return _leaving([each for node in nodes for each in pool.on_node[node]], nodes)
    return None


def _leaving(claims: Iterable[Claim], nodes: Sequence[int]) -> dict[str, tuple[Claim, tuple[Share, ...]]]:
    """Tell what each keeps when some nodes are cleared: nothing, unless it is elastic and enough is left."""
    found: dict[str, tuple[Claim, tuple[Share, ...]]] = {}
    are_cleared = set(nodes)
    for claim in claims:
        kept: tuple[Share, ...] = ()
        if claim.job.min_gpus:
            kept = tuple(share for share in claim.shares if share[0] not in are_cleared)
            if sum(gpus for _, gpus in kept) < claim.job.min_gpus:
                kept = ()
        found[claim.job.id] = (claim, kept)
    return found


def _told(
    leaving: dict[str, tuple[Claim, tuple[Share, ...]]], why: str, for_job: str
) -> tuple[list[Action], float]:
    """Return the actions by which jobs leave or shrink, and the power that they free."""
    actions: list[Action] = []
    freed_kw = 0.0
    for name, (claim, kept) in leaving.items():
        left = sum(gpus for _, gpus in kept)
        freed_kw += (claim.gpus - left) * claim.kw_per_gpu
        actions.append(Shrink(name, left, kept, why, for_job) if kept else Preempt(name, why, for_job))
    return actions, freed_kw
