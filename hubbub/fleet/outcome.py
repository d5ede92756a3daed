"""What a simulation came to, tenant by tenant; it prints nothing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hubbub.fleet.simulator import Simulation
from hubbub.fleet.state import Claim


class TenantOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant's jobs; waits are all seconds in which a job wanted to run and did not."""

    tenant: str
    num_jobs: int
    num_unfinished: int
    gpu_hours: float
    wait_mean_s: float
    wait_median_s: float
    wait_p95_s: float
    num_preempted: int
    num_failed: int
    lost_gpu_hours: float
    """Work that had to be done again."""
    ettr: float
    """Effective training time: GPU-time of work that counts over GPU-time held."""


def outcomes_of(result: Simulation) -> list[TenantOutcome]:
    """Sum a simulation up, tenants by what they held."""
    by_tenant: dict[str, list[Claim]] = {}
    for claim in (*result.finished, *result.unfinished):
        by_tenant.setdefault(claim.job.tenant, []).append(claim)
    told = [_outcome(name, claims, result) for name, claims in by_tenant.items()]
    return sorted(told, key=lambda each: (-each.gpu_hours, each.tenant))


def _outcome(name: str, claims: Sequence[Claim], result: Simulation) -> TenantOutcome:
    waits = sorted(_waited_s(claim, result.end_s) for claim in claims)
    held_s = result.gpu_s.get(name, 0.0)
    useful_s = sum(claim.job.gpus * _useful_s(claim, result.end_s) for claim in claims)
    return TenantOutcome(
        tenant=name,
        num_jobs=len(claims),
        num_unfinished=sum(claim.finished_s is None for claim in claims),
        gpu_hours=held_s / 3_600,
        wait_mean_s=sum(waits) / len(waits),
        wait_median_s=quantile(waits, 0.5),
        wait_p95_s=quantile(waits, 0.95),
        num_preempted=sum(claim.num_preempted for claim in claims),
        num_failed=sum(claim.num_failures for claim in claims),
        lost_gpu_hours=sum(claim.lost_s * claim.job.gpus for claim in claims) / 3_600,
        ettr=useful_s / held_s if held_s else 1.0,
    )


def _waited_s(claim: Claim, end_s: float) -> float:
    is_waiting = claim.finished_s is None and claim.pool is None
    return claim.waited_s + (end_s - claim.waiting_since_s if is_waiting else 0.0)


def _useful_s(claim: Claim, end_s: float) -> float:
    """Return the work that counts so far; what a running job did since its start counts."""
    return claim.done_s + claim.worked_s(end_s)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which such a share of sorted values lies."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0
