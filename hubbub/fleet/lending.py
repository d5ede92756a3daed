"""Tells when a guarantee's idle GPUs are lent and taken back; it decides nothing, the policy's ranks do.

What a job borrows is told against the tenants whose guarantees are least used, in order of what is idle.
Nobody lends to a lender: what is borrowed is never a right, so a circle of loans cannot be written down.
"""

from __future__ import annotations

from hubbub.fleet.actions import Action, Lend, Preempt, Shrink, Start, TakeBack
from hubbub.fleet.state import FleetState


def told_of(state: FleetState, action: Action) -> list[Lend | TakeBack]:
    """Return what an action means for lenders, before it is carried out."""
    if isinstance(action, Start) and not action.is_by_right:
        return list(_lent(state, action))
    if isinstance(action, Preempt | Shrink) and action.for_job in state.claims:
        winner, loser = state.claims[action.for_job], state.claims[action.job]
        tenant = winner.tenant
        is_right = tenant.held_gpus + winner.job.gpus <= tenant.guaranteed_gpus
        if is_right and not loser.is_by_right and loser.tenant is not tenant:
            gpus = loser.gpus - (action.gpus if isinstance(action, Shrink) else 0)
            name = tenant.tenant.name
            why = f"{name} is guaranteed {tenant.guaranteed_gpus:,} GPUs and holds {tenant.held_gpus:,}"
            return [TakeBack(name, loser.job.tenant, gpus, action.job, action.for_job, why)]
    return []


def _lent(state: FleetState, action: Start) -> list[Lend]:
    """Count what is free and guaranteed to nobody first; the rest of a job's GPUs is lent."""
    claim = state.claims[action.job]
    idle = {
        name: tenant.guaranteed_gpus - tenant.held_gpus
        for name, tenant in state.tenants.items()
        if tenant.guaranteed_gpus > tenant.held_gpus and tenant is not claim.tenant
    }
    free = sum(pool.nodes.num_free for pool in state.own_pools)
    left = sum(gpus for _, gpus in action.shares) - max(free - sum(idle.values()), 0)
    found: list[Lend] = []
    for name, gpus in sorted(idle.items(), key=lambda each: -each[1]):
        lent = min(left, gpus)
        if lent > 0:
            why = f"{gpus:,} of the GPUs guaranteed to {name} lie idle"
            found.append(Lend(name, claim.job.tenant, lent, action.job, why))
            left -= lent
    return found
