"""The same jobs on fleets of many sizes, policies and loads: a row for each, and the smallest that suffices.

The replay is `queueing.queue_times` compiled: FIFO or SJF without preemption on equal nodes, no failures, no
power. A load of 1.2 lets the same jobs come 1.2 times as fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import msgspec

from hubbub.errors import InvalidInput, MissingExtra
from hubbub.fleet.jobs import Job

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Order: TypeAlias = Literal["fifo", "sjf"]
_FAR_NODES = 1 << 18


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one fleet makes of the jobs."""

    policy: Order
    gpus: int
    load: float
    num_jobs: int
    wait_mean_s: float
    wait_median_s: float
    wait_p95_s: float
    utilisation: float
    """GPU-seconds held until the last job came, over those that there were since the first came."""


class Sweep:
    """Jobs made ready to be replayed many times.

    Raises:
        MissingExtra: numba is not installed.
        InvalidInput: there is no job, or a number is too large for the compiled replay.
    """

    def __init__(self, jobs: Sequence[Job], gpus_per_node: int = 8) -> None:
        import numpy as np

        try:
            from hubbub.fleet import compiled
        except ImportError as error:
            raise MissingExtra(f"{error.name} is not installed; run: pip install 'hubbub[sweep]'") from error
        if not jobs or len(jobs) >= compiled.MAX_JOBS:
            raise InvalidInput(f"{len(jobs):,} jobs cannot be swept; give 1 to {compiled.MAX_JOBS - 1:,}")
        self._replay = compiled.replay
        self._latest_s = float(compiled.MAX_S)
        self.gpus_per_node = gpus_per_node
        self._submits = np.array([job.submit_s for job in jobs], np.float64)
        self._runs = np.maximum(np.array([job.run_s for job in jobs], np.float64), 1.0)
        self._gpus = np.array([job.gpus for job in jobs], np.int64)
        self._wholes = np.where(self._gpus > gpus_per_node, self._gpus // gpus_per_node, 0)
        self._largest = max(jobs, key=lambda job: job.gpus)

    def waits(self, gpus: int, policy: Order, load: float = 1.0) -> NDArray[np.int64]:
        """Return the seconds that each job waits, in the order in which they were given.

        Raises:
            InvalidInput: a job does not fit into so many GPUs, these are no whole nodes, or the policy or the
                load is none.
        """
        import numpy as np

        self._check(gpus, policy, load)
        submits, runs = (self._submits / load).astype(np.int64), self._runs.astype(np.int64)
        arrivals = np.argsort(submits, kind="stable")
        waits = np.empty_like(submits)
        waits[arrivals] = self._replay(
            submits[arrivals],
            runs[arrivals],
            self._wholes[arrivals],
            self._gpus[arrivals] - self._wholes[arrivals] * self.gpus_per_node,
            policy == "sjf",
            gpus // self.gpus_per_node,
            self.gpus_per_node,
        )
        return waits

    def _check(self, gpus: int, policy: Order, load: float) -> None:
        if policy not in get_args(Order):
            raise InvalidInput(f"policy {policy!r} cannot be swept; give {' or '.join(get_args(Order))}")
        if not 0 < load < float("inf"):
            raise InvalidInput(f"a load of {load:g} is none; give one above 0")
        if (last_s := self._submits.max() / load + self._runs.sum()) >= self._latest_s:
            raise InvalidInput(
                f"the last job may end at second {last_s:.3g}; a sweep counts up to {self._latest_s:.3g}: "
                "leave out the longest jobs or correct their times"
            )
        if gpus % self.gpus_per_node or not 0 < gpus <= _FAR_NODES * self.gpus_per_node:
            raise InvalidInput(
                f"{gpus} GPUs are no nodes of {self.gpus_per_node}; give a multiple of it, up to "
                f"{_FAR_NODES * self.gpus_per_node:,}"
            )
        if self._largest.gpus > gpus:
            raise InvalidInput(
                f"job {self._largest.id!r} of tenant {self._largest.tenant!r} asks for {self._largest.gpus} "
                f"GPUs; a fleet of {gpus} never runs it: give {self.fewest_gpus} or more"
            )

    @property
    def fewest_gpus(self) -> int:
        """Count the GPUs of the smallest fleet that can run every job."""
        return -(-self._largest.gpus // self.gpus_per_node) * self.gpus_per_node

    def row(self, gpus: int, policy: Order, load: float = 1.0) -> Row:
        """Replay the jobs on one fleet and sum up; as `waits`."""
        import numpy as np

        waits = self.waits(gpus, policy, load)
        submits = (self._submits / load).astype(np.int64)
        span_s = submits.max() - submits.min()
        starts = submits + waits
        ends = np.minimum(starts + self._runs.astype(np.int64), submits.max())
        held = (np.maximum(ends - starts, 0) * self._gpus).sum()
        middle, late = len(waits) // 2, min(int(0.95 * len(waits)), len(waits) - 1)
        ordered = np.partition(waits, (middle, late))
        return Row(
            policy=policy,
            gpus=gpus,
            load=load,
            num_jobs=len(waits),
            wait_mean_s=float(waits.mean()),
            wait_median_s=float(ordered[middle]),
            wait_p95_s=float(ordered[late]),
            utilisation=float(held / (gpus * span_s)) if span_s else 0.0,
        )

    def rows(self, gpus: Sequence[int], policies: Sequence[Order], loads: Sequence[float]) -> Iterator[Row]:
        """Yield a row for each combination."""
        for policy in policies:
            for load in loads:
                for count in gpus:
                    yield self.row(count, policy, load)

    def smallest(self, policy: Order, load: float, want_p95_s: float) -> Row:
        """Find the smallest fleet whose 95th percentile of waits is at most so long, by bisection.

        A larger fleet may let a job wait longer once in a while; what is returned suffices, and one node
        less does not.

        Raises:
            InvalidInput: no fleet suffices, or the wait is below 0.
        """
        if not want_p95_s >= 0:
            raise InvalidInput(f"a wait of {want_p95_s:g} s is none; give 0 or more")
        size = self.gpus_per_node
        low, high = self.fewest_gpus // size - 1, self.fewest_gpus // size
        while (best := self.row(high * size, policy, load)).wait_p95_s > want_p95_s:
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            row = self.row(middle * size, policy, load)
            if row.wait_p95_s <= want_p95_s:
                high, best = middle, row
            else:
                low = middle
        return best
