"""FIFO and shortest job first, second by second as Helios defines them.

Definition (Hu et al., SC 2021, and the simulator published with it), for each whole second: jobs that end
now give their GPUs back; jobs that are submitted now join the queue; then the queue is gone through in order
(FIFO: of submission; SJF: of duration; ties in the order of the trace) and each job that `placement.Nodes`
can place starts, until the first that cannot. No job passes the head of the queue, none is preempted.

Nothing changes in a second without a submission or an end, so this steps from one such second to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Literal, TypeAlias

from hubbub.errors import InvalidInput
from hubbub.fleet.jobs import Job
from hubbub.fleet.placement import Nodes, Share

Order: TypeAlias = Literal["fifo", "sjf"]


def queue_times(jobs: Sequence[Job], nodes: Nodes, order: Order = "fifo") -> list[float]:
    """Return the seconds that each job waits, in the order of `jobs`; `nodes` must be empty.

    Submissions and durations are taken as whole seconds, of at least one.

    Raises:
        InvalidInput: a job can never fit, or the order is not known.
    """
    if order not in ("fifo", "sjf"):
        raise InvalidInput(f"order {order!r} is not known; it is fifo or sjf")
    capacity = len(nodes.free) * nodes.gpus_per_node
    for job in jobs:
        if job.gpus > capacity:
            raise InvalidInput(
                f"job {job.id!r} of tenant {job.tenant!r} asks for {job.gpus} GPUs; the pool has {capacity}"
            )
    submits = [int(job.submit_s) for job in jobs]
    runs = [max(int(job.run_s), 1) for job in jobs]
    sizes = [job.gpus for job in jobs]
    arrivals = sorted(range(len(jobs)), key=submits.__getitem__)
    rank = runs if order == "sjf" else submits
    return _replay(arrivals, submits, runs, sizes, rank, nodes)


def _replay(
    arrivals: list[int], submits: list[int], runs: list[int], sizes: list[int], rank: list[int], nodes: Nodes
) -> list[float]:
    waits = [0.0] * len(submits)
    ends: list[tuple[int, int, list[Share]]] = []
    queue: list[tuple[int, int, int]] = []
    place, take, give = nodes.place, nodes.take, nodes.give
    next_arrival, num_jobs = 0, len(arrivals)
    while next_arrival < num_jobs or ends:
        now = submits[arrivals[next_arrival]] if next_arrival < num_jobs else ends[0][0]
        if ends and ends[0][0] < now:
            now = ends[0][0]
        while ends and ends[0][0] == now:
            give(heappop(ends)[2])
        while next_arrival < num_jobs and submits[arrivals[next_arrival]] == now:
            job = arrivals[next_arrival]
            heappush(queue, (rank[job], next_arrival, job))
            next_arrival += 1
        while queue:
            job = queue[0][2]
            shares = place(sizes[job])
            if shares is None:
                break
            heappop(queue)
            take(shares)
            waits[job] = float(now - submits[job])
            heappush(ends, (now + runs[job], job, shares))
    return waits
