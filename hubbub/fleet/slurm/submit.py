"""Hands a command to Slurm as a tenant's job; nothing of it ever stands in a shell's text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hubbub.errors import InvalidInput
from hubbub.fleet.slurm.cluster import Cluster
from hubbub.fleet.slurm.config import watts_of

_SCRIPT = '#!/bin/sh\nexec "$@"\n'
"""Slurm hands the command over as arguments, and it is run as they are."""
_NAME = re.compile(r"[\w.+-]{1,64}\Z", re.ASCII)


def submit(
    cluster: Cluster,
    tenant: str,
    gpus: int,
    command: Sequence[str],
    *,
    name: str = "job",
    expected_s: float | None = None,
    directory: Path | None = None,
) -> str:
    """Submit a command that wants so many GPUs, and return the job's number in Slurm.

    A gang gets whole nodes; one task runs, on the first of them (`srun` in it reaches all). It is told to
    leave by SIGTERM, and is queued again when it was preempted or its node died.

    Raises:
        InvalidInput: the tenant is not known, the gang has no place, or Slurm refused.
    """
    spec = cluster.spec
    if tenant not in {each.name for each in spec.tenants}:
        raise InvalidInput(f"tenant {tenant!r} is not known; the fleet has {[t.name for t in spec.tenants]}")
    if not _NAME.match(name):
        raise InvalidInput(f"job name {name!r}: use 1 to 64 letters, digits, . _ + -")
    if not command:
        raise InvalidInput("there is no command to run; write it after --")
    pool = next((p for p in spec.pools if gpus <= p.num_nodes * p.gpus_per_node), None)
    if pool is None or gpus < 1:
        largest = max(pool.num_nodes * pool.gpus_per_node for pool in spec.pools)
        raise InvalidInput(f"{gpus} GPUs: ask for 1 to {largest}")
    num_nodes = -(-gpus // pool.gpus_per_node)
    if gpus % num_nodes:
        raise InvalidInput(
            f"{gpus} GPUs do not spread evenly over {num_nodes} nodes of {pool.gpus_per_node}; ask for "
            f"{num_nodes * pool.gpus_per_node}"
        )
    script = cluster.directory / "run" / "job.sh"
    if not script.exists():
        script.write_text(_SCRIPT)
    watts = watts_of(spec, pool, gpus)
    options = [
        f"--partition={tenant}",
        f"--job-name={name}",
        f"--nodes={num_nodes}",
        f"--gres=gpu:{pool.gpu}:{gpus // num_nodes}",
        "--requeue",
        "--open-mode=append",
        f"--chdir={directory or cluster.directory}",
        f"--output={cluster.directory}/log/job-%j.out",
        *([f"--licenses={watts}"] if watts else []),
        *([f"--comment=hubbub:expected_s={round(expected_s)}"] if expected_s else []),
    ]
    if expected_s:
        options.append(f"--time={max(1, -(-round(expected_s * 2) // 60))}")
    return cluster.run("sbatch", "--parsable", *options, str(script), *command).strip().partition(";")[0]
