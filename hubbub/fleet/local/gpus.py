"""The GPUs of this machine, as nvidia-smi lists them, and which of them a job gets; else pretend ones."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable

from hubbub.fleet.launcher import USUAL_TENANTS
from hubbub.fleet.local.journal import Row
from hubbub.fleet.placement import Share
from hubbub.fleet.spec import FleetSpec, Pool


def real_gpus() -> list[str]:
    """Return the names of this machine's GPUs, none where nvidia-smi is missing or fails."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        told = subprocess.run(
            [program, "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in told.stdout.splitlines() if line.strip()]


def real_fleet(names: list[str]) -> FleetSpec:
    """Return this machine as a fleet of one node for xai and x, who go first, and tesla."""
    name = re.sub(r"[^a-z0-9]+", "-", names[0].lower().removeprefix("nvidia ")).strip("-")
    pool = Pool(name="here", num_nodes=1, gpus_per_node=len(names), gpu=name)
    return FleetSpec(pools=(pool,), tenants=USUAL_TENANTS)


def are_real(spec: FleetSpec, num_real: int) -> bool:
    """Tell whether this machine has all GPUs that a fleet names; else all of them are pretend ones."""
    return 0 < sum(pool.num_nodes * pool.gpus_per_node for pool in spec.pools) <= num_real


def numbers_for(
    spec: FleetSpec, pool: Pool, shares: Iterable[Share], rows: Iterable[Row], *, is_real: bool
) -> tuple[tuple[int, ...], ...]:
    """Return which GPUs of each node a gang gets: the lowest that nobody holds, numbered by the node.

    Real ones are numbered as nvidia-smi does, pool after pool, node after node.
    """
    held: dict[int, set[int]] = {}
    first = 0
    if is_real:
        before = spec.pools[: [each.name for each in spec.pools].index(pool.name)]
        first = sum(each.num_nodes * each.gpus_per_node for each in before)
    for row in rows:
        if row.phase in ("running", "leaving") and row.pool == pool.name:
            for (node, _), numbers in zip(row.shares, row.gpu_numbers, strict=True):
                held.setdefault(node, set()).update(numbers)
    told = []
    for node, count in shares:
        start = first + node * pool.gpus_per_node if is_real else 0
        all_of_it = range(start, start + pool.gpus_per_node)
        told.append(tuple(n for n in all_of_it if n not in held.get(node, ()))[:count])
    return tuple(told)
