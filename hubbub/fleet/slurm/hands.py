"""Carries decisions out on a Slurm, as far as Slurm does not do them itself; it decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.errors import InvalidInput
from hubbub.fleet.actions import Action, Cap, Drain, Lend, Preempt, Release, Rent, Restore, Start, TakeBack
from hubbub.fleet.slurm.config import licenses_of
from hubbub.plan.hardware import find_gpu
from hubbub.plan.tables import figure

if TYPE_CHECKING:
    from hubbub.fleet.slurm.cluster import Cluster


def carry_out(cluster: Cluster, action: Action) -> None:
    """Do what was decided. Rented nodes are powered up by Slurm once a job is there that may run on them.

    Raises:
        InvalidInput: Slurm refused, or cannot do this; it is named.
    """
    if isinstance(action, Preempt):
        cluster.run("scontrol", "requeue", action.job)
    elif isinstance(action, Rent):
        move(cluster, action.for_job, action.pool)
    elif isinstance(action, Start):
        move(cluster, action.job, action.pool)
    elif isinstance(action, Release):
        nodes = ",".join(f"{action.pool}-{node + 1}" for node in action.nodes)
        cluster.run("scontrol", "update", f"NodeName={nodes}", "State=POWER_DOWN")
    elif isinstance(action, Drain):
        reason = f"Reason={action.reason}"
        cluster.run("scontrol", "update", f"NodeName={action.pool}-{action.node + 1}", "State=DRAIN", reason)
    elif isinstance(action, Restore):
        cluster.run("scontrol", "update", f"NodeName={action.pool}-{action.node + 1}", "State=RESUME")
    elif isinstance(action, Cap):
        raise InvalidInput(
            f"Slurm limits no GPU's power; its nodes' administrator can: {render_cap(cluster, action)}"
        )
    elif not isinstance(action, Lend | TakeBack):
        raise InvalidInput(
            f"Slurm cannot {type(action).__name__.lower()} a job that runs (it would shrink its allocation, "
            f"not the program in it): {action}"
        )


def render_cap(cluster: Cluster, action: Cap) -> str:
    """Return the command that limits a running job's GPUs, for each of its nodes; it runs nothing.

    A GPU draws a share of its server (`hubbub.plan`); the rest of the server draws the same at any limit.

    Raises:
        InvalidInput: the job does not run, or `hubbub.plan` does not know the GPU.
    """
    claim = cluster.look().state.claims.get(action.job)
    if claim is None or claim.pool is None or not claim.pool.pool.busy_kw_per_gpu:
        raise InvalidInput(f"job {action.job!r} does not run, or draws nothing: there is nothing to cap")
    pool, share = claim.pool.pool, figure("power.gpu_share")
    left = (action.kw_per_gpu / pool.busy_kw_per_gpu - 1 + share) / share
    nodes = ",".join(f"{pool.name}-{node + 1}" for node, _ in claim.shares)
    return f"nvidia-smi -pl {round(max(left, 0.0) * find_gpu(pool.gpu).tdp_w)} on {nodes}"


def move(cluster: Cluster, job: str, pool: str) -> None:
    """Let a waiting job run on another pool's nodes only, with the watts that it then draws.

    Raises:
        InvalidInput: it is not known, or runs already.
    """
    claim = cluster.look(are_gone=True).state.claims.get(job)
    if claim is None or claim.pool is not None:
        raise InvalidInput(f"job {job!r} does not wait, and so cannot go to {pool!r}")
    target = next(each for each in cluster.spec.pools if each.name == pool)
    licenses = f"Licenses={licenses_of(target, claim.job.gpus)}"
    cluster.run("scontrol", "update", f"JobId={job}", f"Features={pool}", licenses)
