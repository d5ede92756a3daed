"""A job on the fleet, waiting or running, and what it did so far; it decides nothing and holds no nodes.

Work is counted in seconds on all GPUs that the job asks for, at their full clock. A job on fewer GPUs, or at
a lower clock, does `rate` of it a second: in proportion to the GPUs (as data parallel runs scale, the batch
kept), and as `clocks` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, TypeAlias

from hubbub.fleet.jobs import Job
from hubbub.fleet.placement import Share

if TYPE_CHECKING:
    from hubbub.fleet.pools import PoolState
    from hubbub.fleet.tenants import TenantState

Rank: TypeAlias = tuple[bool, int]
"""(holds by right, priority): the higher may take from the lower."""


@dataclass(eq=False, slots=True)  # no msgspec.Struct: setting a field of those takes three times as long
class Claim:
    """A job on the fleet, waiting or running."""

    job: Job
    tenant: TenantState
    number: int
    """In order of arrival; breaks ties."""
    waiting_since_s: float
    planned_s: float = inf
    """When the engine means to start it at the latest: Slurm lets jobs pass a queue's head, ours does not."""
    done_s: float = 0.0
    """Work that is safe: it survives a failure."""
    pool: PoolState | None = None
    shares: Sequence[Share] = ()
    gpus: int = 0
    """What it holds."""
    kw_per_gpu: float = 0.0
    """What each of them may draw above an idle one."""
    weight: float = 0.0
    """How early it leaves among equals, where the policy says so."""
    rate: float = 1.0
    started_s: float = 0.0
    is_by_right: bool = False
    num_starts: int = 0
    num_preempted: int = 0
    num_failures: int = 0
    waited_s: float = 0.0
    lost_s: float = 0.0
    """Work that was done and has to be done again."""
    finished_s: float | None = None
    version: int = 0
    """Changes whenever its end does, so that an old event about it is known as old."""
    since_s: float = 0.0
    """Since when it goes at its rate."""
    delay_s: float = 0.0
    """What passes from then until new work is done."""
    kept_s: float = 0.0
    """Work since its start, up to `since_s`."""

    @property
    def rank(self) -> Rank:
        """How strong its hold is."""
        return (self.is_by_right, self.job.priority)

    @property
    def kw(self) -> float:
        """What it draws above idle GPUs."""
        return self.gpus * self.kw_per_gpu

    def worked_s(self, now_s: float) -> float:
        """Return the work since its start; 0 where it does not run."""
        if self.pool is None:
            return 0.0
        return self.kept_s + max(now_s - self.since_s - self.delay_s, 0.0) * self.rate

    def ends_s(self) -> float:
        """Return when it ends, if nothing happens."""
        left_s = self.job.run_s - self.done_s - self.kept_s
        return self.since_s + (
            self.delay_s + left_s if self.rate == 1.0 else self.delay_s + left_s / self.rate
        )

    def left_s(self, now_s: float, total_s: float) -> float:
        """Return the work that is left of so much, as its owner or a predictor says; not below 0."""
        return max(total_s - self.done_s - self.worked_s(now_s), 0.0)

    def go_at(self, rate: float, now_s: float) -> None:
        """Go on at another rate."""
        self.kept_s = self.worked_s(now_s)
        self.delay_s = max(self.since_s + self.delay_s - now_s, 0.0)
        self.since_s, self.rate = now_s, rate
        self.version += 1
