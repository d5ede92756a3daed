"""Hands a command to Slurm as a tenant's job; nothing of it ever stands in a shell's text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.errors import InvalidInput
from hubbub.fleet.launcher import Wish, check_wish
from hubbub.fleet.slurm.accounting import is_kept
from hubbub.fleet.slurm.config import licensed_watts, licenses_of, may_use, watts_of
from hubbub.fleet.slurm.rights import partition_for
from hubbub.fleet.spec import FleetSpec, Pool, Tenant

if TYPE_CHECKING:
    from hubbub.fleet.slurm.cluster import Cluster


def hand_in(cluster: Cluster, wish: Wish) -> str:
    """Submit a command that wants so many GPUs, and return the job's number in Slurm.

    A gang gets whole nodes; one task runs, on the first of them (`srun` in it reaches all). It is told to
    leave by SIGTERM, and is queued again when it was preempted or its node died.

    Raises:
        InvalidInput: the tenant is not known, the gang has no place, or Slurm refused.
    """
    if wish.min_gpus:
        raise InvalidInput("a Slurm gives a gang all its GPUs or none: leave --min-gpus out")
    spec, tenant, gpus = cluster.spec, wish.tenant, wish.gpus
    check_wish(spec, wish)
    pools = pools_for(spec, next(each for each in spec.tenants if each.name == tenant), gpus)
    pool, num_nodes = pools[0], _num_nodes(spec, pools[0], gpus)
    options = [
        f"--job-name={wish.name}",
        *([f"--account={tenant}"] if is_kept(cluster.directory) else []),
        f"--nodes={num_nodes}",
        f"--gres=gpu:{pool.gpu}:{gpus // num_nodes}",
        *([f"--constraint={_either(pools)}"] if len(spec.pools) > 1 else []),
        "--requeue",
        f"--export=ALL,HUBBUB_TENANT={tenant}",
        "--open-mode=append",
        f"--chdir={wish.directory or cluster.directory}",
        f"--output={cluster.directory}/log/job-%j.out",
        *([f"--licenses={licenses_of(pool, gpus)}"] if pool.site else []),
    ]
    if wish.expected_s:
        options.append(f"--comment=hubbub:expected_s={round(wish.expected_s)}")
        options.append(f"--time={max(1, -(-round(wish.expected_s * 2) // 60))}")
    with cluster.held():
        partition = partition_for(cluster.look(are_gone=True), tenant, gpus)
        program = ("sbatch", "--parsable", f"--partition={partition}", *options)
        told = cluster.run(*program, f"{cluster.directory}/run/job", *wish.command)
    return told.strip().partition(";")[0]


def _num_nodes(spec: FleetSpec, pool: Pool, gpus: int) -> int:
    """Return over how many nodes a gang lies; refuse what does not spread evenly, or draws too much."""
    num_nodes = -(-gpus // pool.gpus_per_node)
    if gpus % num_nodes:
        raise InvalidInput(
            f"{gpus} GPUs do not spread evenly over {num_nodes} nodes of {pool.gpus_per_node}; ask for "
            f"{num_nodes * pool.gpus_per_node}"
        )
    most_w = licensed_watts(spec).get(pool.site, 0)
    if pool.site and (watts := watts_of(pool, gpus)) > most_w:
        raise InvalidInput(
            f"{gpus} GPUs draw {watts / 1_000:g} kW more than idle; {pool.site} may draw {most_w / 1_000:g}"
        )
    return num_nodes


def pools_for(spec: FleetSpec, tenant: Tenant, gpus: int) -> list[Pool]:
    """Return where a gang may run: the first pool that holds it and those like it, owned before rented.

    A rented one is left to `steer`, when the policy pays for it, unless no owned one is large enough.
    """
    able = [p for p in spec.pools if 1 <= gpus <= p.num_nodes * p.gpus_per_node and may_use(p, tenant)]
    able.sort(key=lambda pool: pool.is_rented)
    if not able:
        most = max(p.num_nodes * p.gpus_per_node for p in spec.pools if may_use(p, tenant))
        raise InvalidInput(f"{gpus} GPUs: ask for 1 to {most}")
    return [pool for pool in able if _kind(pool) == _kind(able[0])]


def _either(pools: list[Pool]) -> str:
    """Return a constraint to one of some pools: no gang lies across two."""
    return f"[{'|'.join(pool.name for pool in pools)}]" if len(pools) > 1 else pools[0].name


def _kind(pool: Pool) -> tuple[object, ...]:
    """Return what a job asks of a pool."""
    busy_kw = pool.busy_kw_per_gpu - pool.idle_kw_per_gpu
    return pool.is_rented, pool.gpu, pool.gpus_per_node, pool.site, busy_kw
