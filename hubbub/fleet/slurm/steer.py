"""What Slurm does not do by itself: preempt for power, and give guaranteed GPUs back at once.

Slurm starts jobs, places them, and preempts by tier. `step` reads its truth, asks the policy, and requeues
whom the policy would preempt for power or for a guarantee. Nothing is kept between steps: if hubbub dies,
Slurm goes on, and the next step starts from Slurm's truth.
"""

from __future__ import annotations

import msgspec

from hubbub.errors import InvalidInput
from hubbub.fleet.actions import Preempt, Start
from hubbub.fleet.launcher import Truth
from hubbub.fleet.policy import Policy, decide
from hubbub.fleet.slurm.cluster import Cluster
from hubbub.fleet.slurm.truth import read_truth
from hubbub.fleet.state import FleetState

SETTLE_S = 2.0
"""Slurm preempts by tier within a second: only who still waits after so long needs us."""


def step(cluster: Cluster, policy: Policy, *, settle_s: float = SETTLE_S) -> list[Preempt]:
    """Do what has to be done now, and return it.

    Raises:
        InvalidInput: Slurm refused; its words are given.
    """
    truth = read_truth(cluster.run, cluster.spec)
    wanted = {name for name in truth.waiting if _needs_us(truth, name, settle_s)}
    done = [
        action
        for action in _preemptions(truth.state, policy)
        if not action.for_job or action.for_job in wanted
    ]
    for action in done:
        cluster.run("scontrol", "requeue", action.job)
    return done


def _needs_us(truth: Truth, name: str, settle_s: float) -> bool:
    waiting, claim = truth.waiting[name], truth.state.claims[name]
    if truth.state.now_s - waiting.submitted_s < settle_s:
        return False
    room = claim.tenant.tenant.guaranteed_gpus - claim.tenant.held_gpus
    return waiting.reason == "Licenses" or claim.job.gpus <= room


def _preemptions(state: FleetState, policy: Policy) -> list[Preempt]:
    """Let the policy run to its end on a copy, and return whom it would preempt."""
    copy, found = state.copied(), []
    for _ in range(2 * len(copy.claims) + 8):
        actions = decide(copy, policy)
        if not actions:
            break
        for action in actions:
            if isinstance(action, Preempt):
                found.append(action)
                claim = copy.claims[action.job]
                copy.preempt(claim, policy.place_of(claim.job, copy.now_s))
            elif isinstance(action, Start):
                claim, pool = copy.claims[action.job], copy.pools[action.pool]
                copy.start(claim, pool, action.shares, is_by_right=action.is_by_right)
            else:
                return found
    return found


def set_cap(cluster: Cluster, site: str, cap_kw: float) -> None:
    """Change what a site may draw; what runs above it stays until `step` takes it off.

    Raises:
        InvalidInput: there is no such site, or Slurm refused.
    """
    names = [each.name for each in cluster.spec.sites]
    if site not in names or not cap_kw >= 0:
        raise InvalidInput(f"site {site!r}, {cap_kw:g} kW: the sites are {names}, and a cap is 0 or more")
    sites = [
        msgspec.structs.replace(each, cap_kw=cap_kw) if each.name == site else each
        for each in cluster.spec.sites
    ]
    cluster.change(msgspec.structs.replace(cluster.spec, sites=tuple(sites)))
