"""FIFO, shortest job first and shortest remaining time first, second by second as Helios defines them.

Definition (Hu et al., SC 2021, and the simulator published with it), for each whole second: jobs that end
now give their GPUs back; jobs that are submitted now join the queue; then the queue is gone through in order
(FIFO: of submission; SJF: of duration; ties in the order of the trace) and each job that `placement.Nodes`
can place starts, until the first that cannot. No job passes the head of the queue, none is preempted.

SRTF, for each whole second: running jobs with nothing left end, of the others a second of work is done (so
a job of d seconds holds its GPUs d + 1); submitted jobs join the queue; who waits and who runs are gone
through in order of the time that is left (ties: who waits, then who runs, each as they came there), and
GPUs are counted off to each that still fits into the number that is left; who runs and does not fit is
preempted, has 7, 30 or 60 s more to do (1, up to 8, more GPUs) and waits again; who waits and fits starts
if it can be placed.

Nothing changes in a second without a submission or an end (SRTF: nor after one in which something started or
was preempted, nor when a running job overtakes one that counts as fitting and finds no place), so this steps
from one such second to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Literal, TypeAlias

from hubbub.errors import InvalidInput
from hubbub.fleet.jobs import Job
from hubbub.fleet.placement import Nodes, Share

Order: TypeAlias = Literal["fifo", "sjf", "srtf"]


def queue_times(jobs: Sequence[Job], nodes: Nodes, order: Order = "fifo") -> list[float]:
    """Return the seconds that each job waits, in the order of `jobs`; `nodes` must be empty.

    Submissions and durations are taken as whole seconds, of at least one.

    Raises:
        InvalidInput: a job can never fit, or the order is not known.
    """
    if order not in ("fifo", "sjf", "srtf"):
        raise InvalidInput(f"order {order!r} is not known; it is fifo, sjf or srtf")
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
    if order == "srtf":
        return _Srtf(submits, runs, sizes, nodes).replay(arrivals)
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


class _Srtf:
    """Shortest remaining time first; a running job is known by the second at which nothing of it is left."""

    def __init__(self, submits: list[int], runs: list[int], sizes: list[int], nodes: Nodes) -> None:
        self._sizes, self._nodes = sizes, nodes
        self._left = list(runs)
        """Of who waits."""
        self._since = list(submits)
        self._waits = [0.0] * len(submits)
        self._queue: dict[int, None] = {}
        self._running: dict[int, tuple[int, list[Share]]] = {}

    def replay(self, arrivals: list[int]) -> list[float]:
        submits = list(self._since)
        coming = arrivals[::-1]
        now = submits[coming[-1]] if coming else 0
        while coming or self._queue or self._running:
            for job in [job for job, (done, _) in self._running.items() if done < now]:
                self._nodes.give(self._running.pop(job)[1])
            while coming and submits[coming[-1]] == now:
                self._queue[coming.pop()] = None
            has_changed, without_place = self._choose(now)
            then = [done + 1 for done, _ in self._running.values()]
            then += [submits[coming[-1]]] if coming else []
            for job in without_place:
                overtakes = (done - self._left[job] + 1 for done, _ in self._running.values())
                then += [at for at in overtakes if at > now]
            now = now + 1 if has_changed else min(then, default=now + 1)
        return self._waits

    def _choose(self, now: int) -> tuple[bool, list[int]]:
        """Preempt and start; return whether anything did, and who counts as fitting but found no place."""
        order = [(self._left[job], job) for job in self._queue]
        order += [(done - now, job) for job, (done, _) in self._running.items()]
        order.sort(key=lambda entry: entry[0])
        left = len(self._nodes.free) * self._nodes.gpus_per_node
        start, stop = [], []
        for _, job in order:
            if self._sizes[job] <= left:
                left -= self._sizes[job]
                if job in self._queue:
                    start.append(job)
            elif job in self._running:
                stop.append(job)
        for job in stop:
            done, shares = self._running.pop(job)
            self._nodes.give(shares)
            self._left[job], self._since[job] = done - now + _overhead_s(self._sizes[job]), now
            self._queue[job] = None
        without_place = []
        for job in start:
            found = self._nodes.place(self._sizes[job])
            if found is None:
                without_place.append(job)
                continue
            self._nodes.take(found)
            del self._queue[job]
            self._waits[job] += now - self._since[job]
            self._running[job] = (now + self._left[job], found)
        return bool(stop) or len(without_place) < len(start), without_place


def _overhead_s(gpus: int) -> int:
    """Return what being preempted costs, as Helios' simulator has it."""
    return 7 if gpus == 1 else 30 if gpus <= 8 else 60
