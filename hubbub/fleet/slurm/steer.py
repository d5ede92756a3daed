"""What Slurm does not do by itself: preempt for power and for guarantees, rent, obey the grid.

Slurm starts jobs, places them, and preempts by tier. `step` reads its truth, asks the policy, and does what
is left: requeue whom the policy would preempt for power or for a guarantee, let a job on rented nodes, give
these back. Nothing is kept between steps: if hubbub dies, Slurm goes on, and the next step starts from
Slurm's truth. Of two that steer at once, one waits for the other's step.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from hubbub.errors import InvalidInput
from hubbub.fleet.actions import Action, Drain, Preempt, Release, Rent, Start
from hubbub.fleet.carrying import carry_out as imagine
from hubbub.fleet.copies import copy_of
from hubbub.fleet.launcher import Truth
from hubbub.fleet.policy import Policy, decide
from hubbub.fleet.power import SLACK_KW, short_kw
from hubbub.fleet.slurm.config import may_use
from hubbub.fleet.slurm.grid import reserve
from hubbub.fleet.slurm.observing import drains
from hubbub.fleet.slurm.rights import misplaced
from hubbub.fleet.slurm.submit import pools_for
from hubbub.fleet.state import FleetState

if TYPE_CHECKING:
    from hubbub.fleet.slurm.cluster import Cluster

SETTLE_S = 2.0
"""Slurm preempts by tier within a second: only who still waits after so long needs us, but for power."""


def step(cluster: Cluster, policy: Policy, *, settle_s: float = SETTLE_S) -> list[Action]:
    """Do what has to be done now, and return it; with `policy.drains` also drain unhealthy nodes.

    Raises:
        InvalidInput: Slurm refused; its words are given.
    """
    with cluster.held():
        truth = cluster.look(are_gone=True)
        for job, partition in misplaced(truth):
            with suppress(InvalidInput):  # it has started or was cancelled in between; else the next step
                cluster.run("scontrol", "update", f"JobId={job}", f"Partition={partition}")
        reserve(cluster, truth.state.now_s)
        unhealthy = drains(cluster.directory, truth) if policy.drains else []
        wanted = {name for name in truth.waiting if _has_settled(truth, name, settle_s)}
        return [
            action
            for action in (*unhealthy, *_decisions(truth.state, policy))
            if _is_ours(cluster, truth, action, wanted) and _do(cluster, action)
        ]


def tell(action: Action) -> str:
    """Say in one line what was done."""
    if isinstance(action, Preempt):
        return f"{action.job} preempted: {action.reason}"
    if isinstance(action, Rent):
        return f"{action.num_nodes} of {action.pool} rented: {action.reason}"
    if isinstance(action, Release):
        nodes = ", ".join(f"{action.pool}-{node + 1}" for node in action.nodes)
        return f"{nodes} given back: {action.reason}"
    if isinstance(action, Start):
        return f"{action.job} sent to {action.pool}: {action.reason}"
    if isinstance(action, Drain):
        return f"{action.pool}-{action.node + 1} drained: {action.reason}"
    return str(action)


def _do(cluster: Cluster, action: Action) -> bool:
    """Carry it out; tell False where its job has ended or left by itself in between."""
    try:
        cluster.carry_out(action)
    except InvalidInput:
        claim = cluster.look(are_gone=True).state.claims.get(getattr(action, "job", ""))
        if isinstance(action, Preempt) and (claim is None or claim.pool is None):
            return False
        if isinstance(action, Rent | Start) and (claim is None or claim.pool is not None):
            return False
        raise
    return True


def _has_settled(truth: Truth, name: str, settle_s: float) -> bool:
    """Tell whether Slurm has had its time; for who waits for power it would do nothing at all."""
    return _lacks_power(truth, name) or truth.state.now_s - truth.waiting[name].submitted_s >= settle_s


def _lacks_power(truth: Truth, name: str) -> bool:
    """Tell whether power keeps a job waiting, before Slurm itself has found out."""
    gpus = truth.state.claims[name].job.gpus
    is_short = all(short_kw(pool, gpus) > SLACK_KW for pool in truth.state.own_pools)
    return is_short or truth.waiting[name].reason == "Licenses"


def _is_ours(cluster: Cluster, truth: Truth, action: Action, wanted: set[str]) -> bool:
    """Tell whether Slurm would not do it by itself."""
    if isinstance(action, Preempt):
        return not action.for_job or (action.for_job in wanted and _lacks_right(truth, action.for_job))
    if isinstance(action, Rent):
        return action.for_job in wanted
    if isinstance(action, Start):
        return action.job in wanted and _is_elsewhere(cluster, truth, action)
    return isinstance(action, Release | Drain)


def _lacks_right(truth: Truth, name: str) -> bool:
    """Tell whether a job waits for power or for its tenant's guarantee: Slurm preempts for neither."""
    claim = truth.state.claims[name]
    room = claim.tenant.tenant.guaranteed_gpus - claim.tenant.held_gpus
    return _lacks_power(truth, name) or claim.job.gpus <= room


def _is_elsewhere(cluster: Cluster, truth: Truth, action: Start) -> bool:
    """Tell whether a job would start in a pool that it was not submitted to."""
    claim, spec = truth.state.claims[action.job], cluster.spec
    pool = next(each for each in spec.pools if each.name == action.pool)
    tenant = claim.tenant.tenant
    return may_use(pool, tenant) and pool not in pools_for(spec, tenant, claim.job.gpus)


def _decisions(state: FleetState, policy: Policy) -> list[Action]:
    """Let the policy run to its end on a copy, and return all that it would do."""
    copy, found = copy_of(state), []
    for _ in range(2 * len(copy.claims) + 8):
        actions = decide(copy, policy)
        if not actions:
            break
        found += actions
        for action in actions:
            imagine(copy, action, policy)
    return found
