"""What may be chosen about deciding: the order of the queues, who may be preempted, whom it costs least.

| order | goes first | takes from equals |
|---|---|---|
| fifo | who came first | no |
| sjf | who is expected to run shortest | no |
| fair | the tenant that holds least of its share | no |
| fairshare | the tenant that used least of its share lately | no |
| srtf | who is expected to be done soonest | from who has longer to go, restarts counted |
| las | who came first; who left, as if it had come later by 8 times what it ran | from who had its turn |
| goodput | whose GPUs do most work that counts | no, and from the weaker who restart fastest |

las is least attained service with queues by what a job ran and with promotion of who waits long, as in
Tiresias (Gu et al., NSDI 2019), but without steps: a job that ran d waits 8 d, two days at the
most, and is then as good as new. A turn is a quantum, doubled at each return up to four. The 8 and the two
days are ours: decision 132.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import msgspec

from hubbub.fleet.claims import Claim
from hubbub.fleet.jobs import Job

Order: TypeAlias = Literal["fifo", "sjf", "fair", "fairshare", "srtf", "las", "goodput"]
ORDERS: tuple[Order, ...] = get_args(Order)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What may be chosen about deciding."""

    order: Order = "fifo"
    preempts: bool = True
    quantum_s: float = 3_600.0
    """The shortest turn: so long nobody is preempted for an equal (las)."""
    drains: bool = False
    """Nodes that fail far more often than the others are drained, suspicious ones come last."""

    def place_of(self, job: Job, now_s: float, done_s: float = 0.0) -> float:
        """Return a job's place in its tenant's queue, the smallest first, when so much of it is done."""
        if self.order in ("sjf", "srtf"):
            return expected_s(job) - (done_s if self.order == "srtf" else 0.0)
        if self.order == "las":
            return now_s + _patience_s(done_s)
        return job.submit_s

    @property
    def takes_from_equals(self) -> bool:
        """Whether a job may preempt one of its own rank."""
        return self.preempts and self.order in ("srtf", "las")

    @property
    def weigher(self) -> Callable[[Claim], float] | None:
        """What says who leaves first, where that is not simply who came last."""
        return self._weight_of if self.order in ("srtf", "las", "goodput") else None

    def _weight_of(self, claim: Claim) -> float:
        """Return how early a running job leaves, the largest first; it stays the same while it runs."""
        if self.order == "srtf":  # when it would end
            return claim.since_s + claim.delay_s + expected_s(claim.job) - claim.done_s - claim.kept_s
        if self.order == "las":  # how long ago its turn was over
            return claim.kept_s - claim.since_s - claim.delay_s - self._turn_s(claim)
        return -claim.job.restart_s

    def is_worth(self, claim: Claim, victim: Claim, now_s: float) -> bool:
        """Tell whether a waiting job may take an equal's GPUs."""
        if self.order == "srtf":
            left_s = expected_s(claim.job) - claim.done_s + 2 * victim.job.restart_s
            return left_s < expected_s(victim.job) - victim.done_s - victim.worked_s(now_s)
        is_new = now_s - claim.waiting_since_s >= _patience_s(claim.done_s)
        return is_new and victim.worked_s(now_s) >= self._turn_s(victim)

    def _turn_s(self, claim: Claim) -> float:
        return float(self.quantum_s * min(2**claim.num_preempted, 4))


def _patience_s(done_s: float) -> float:
    return min(8 * done_s, 172_800.0)


def expected_s(job: Job) -> float:
    """Return what a job is expected to take; where nobody said so, what it takes (as in Helios)."""
    return job.run_s if job.expected_s is None else job.expected_s
