"""Which of its two partitions a tenant's job belongs to: within its guarantee, or borrowing; it starts none.

The policy ranks by (by right, priority). Slurm ranks by partition only, and so a tenant with a guarantee has
two: were its right in its usual one, a stronger tenant's tier would take it again and again.
"""

from __future__ import annotations

from collections.abc import Iterator

from hubbub.fleet.slurm.config import RIGHT
from hubbub.fleet.slurm.truth import SlurmTruth
from hubbub.fleet.state import Claim, TenantState


def partition_for(truth: SlurmTruth, tenant: str, gpus: int) -> str:
    """Return where a new job waits: by right if it fits the guarantee together with all before it."""
    held = truth.state.tenant(tenant)
    claimed = held.held_gpus + sum(claim.job.gpus for claim in _waiting(held))
    return tenant + RIGHT if claimed + gpus <= held.tenant.guaranteed_gpus else tenant


def misplaced(truth: SlurmTruth) -> Iterator[tuple[str, str]]:
    """Yield (job, partition) of what waits in the wrong one: its tenant's jobs came or went since."""
    for tenant in truth.state.tenants.values():
        name, room = tenant.tenant.name, tenant.tenant.guaranteed_gpus - tenant.held_gpus
        for claim in _waiting(tenant):
            is_right = claim.job.gpus <= room
            room = room - claim.job.gpus if is_right else 0  # nobody passes the head of its queue
            partition = name + RIGHT if is_right else name
            if truth.partitions[claim.job.id] != partition:
                yield claim.job.id, partition


def _waiting(tenant: TenantState) -> list[Claim]:
    """Return a tenant's waiting jobs, the next to start first."""
    entries = [entry for _, queue in sorted(tenant.queues.items(), reverse=True) for entry in sorted(queue)]
    return [claim for _, _, claim in entries]
