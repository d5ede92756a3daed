"""FIFO and SJF of `queueing.py` compiled with numba, to the second the same; importing it needs numba.

Nodes are kept as bits, a set for each count of free GPUs in three levels of 64 each, so that the lowest
numbered node is found in three steps. The nodes of a gang are chained through one array. Queue and ends are
binary heaps of whole numbers: (what orders) * 2^24 + (job).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bits = NDArray[np.uint64]
MAX_JOBS = 1 << 24
MAX_NODES = 1 << 18
MAX_S = 1 << 38
"""Seconds that fit into a heap's numbers beside the job: 8,700 years."""

_Given = ParamSpec("_Given")
_Got = TypeVar("_Got")


def _compile(function: Callable[_Given, _Got]) -> Callable[_Given, _Got]:
    """Compile at the first call, and keep it on disk where there is a place to write."""
    jit: Any = njit
    compiled: Callable[_Given, _Got]
    try:
        compiled = jit(cache=True)(function)
    except RuntimeError:  # neither beside this file nor in the user's cache
        compiled = jit(function)
    return compiled


def _count_zeros(context: Any, word: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], context.get_constant(types.boolean, False))

    return types.uint64(types.uint64), code


_lowest_bit: Any = intrinsic(_count_zeros)


@_compile
def _push(heap: Ints, size: int, value: int) -> int:
    at = size
    while at and heap[(at - 1) >> 1] > value:
        heap[at] = heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at] = value
    return size + 1


@_compile
def _pop(heap: Ints, size: int) -> int:
    size -= 1
    value, at, child = heap[size], 0, 1
    while child < size:
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[at] = heap[child]
        at, child = child, 2 * child + 1
    heap[at] = value
    return size


@_compile
def _lowest(bits: Bits, words: int) -> int:
    """Return the lowest node of a set: its words, then those of the level above, then the top."""
    at = np.int64(_lowest_bit(bits[words + (words + 63) // 64]))
    at = (at << 6) + np.int64(_lowest_bit(bits[words + at]))
    return int((at << 6) + np.int64(_lowest_bit(bits[at])))


@_compile
def _move(free: Ints, sets: Bits, sizes: Ints, words: int, node: int, now: int) -> None:
    """Change a node's free GPUs."""
    one, mask, before = np.uint64(1), np.uint64(63), free[node]
    above, top = words, words + (words + 63) // 64
    word = node >> 6
    if before:
        sizes[before] -= 1
        bits = sets[before]
        bits[word] ^= one << (np.uint64(node) & mask)
        if not bits[word]:
            bits[above + (word >> 6)] ^= one << (np.uint64(word) & mask)
            if not bits[above + (word >> 6)]:
                bits[top] ^= one << np.uint64(word >> 6)
    if now:
        sizes[now] += 1
        bits = sets[now]
        bits[word] |= one << (np.uint64(node) & mask)
        bits[above + (word >> 6)] |= one << (np.uint64(word) & mask)
        bits[top] |= one << np.uint64(word >> 6)
    free[node] = now


@_compile
def _fits(gpus: int, full: int, sizes: Ints) -> bool:
    whole, rest = (gpus // full, gpus % full) if gpus > full else (0, gpus)
    if whole > sizes[full]:
        return False
    if not rest or sizes[full] > whole:
        return True
    for free in range(rest, full):
        if sizes[free]:
            return True
    return False


@_compile
def _partial(gpus: int, full: int, sizes: Ints) -> int:
    """Return how many free GPUs the node has that gets what is no whole node: see `placement.py`."""
    if gpus <= full:
        free = gpus
        while not sizes[free]:
            free += 1
        return free
    free = full
    while not sizes[free]:
        free -= 1
    return free


@_compile
def _start(
    job: int, gpus: int, full: int, free: Ints, sets: Bits, sizes: Ints, words: int, held: Ints, chain: Ints
) -> None:
    """Take a job's GPUs: its whole nodes are chained from held[job, 0], its partial one is held[job, 1]."""
    whole, rest = (gpus // full, gpus % full) if gpus > full else (0, gpus)
    for _ in range(whole):
        node = _lowest(sets[full], words)
        _move(free, sets, sizes, words, node, 0)
        chain[node] = held[job, 0]
        held[job, 0] = node
    if rest:
        node = _lowest(sets[_partial(gpus, full, sizes)], words)
        _move(free, sets, sizes, words, node, free[node] - rest)
        held[job, 1] = node


@_compile
def _give_back(
    job: int, gpus: int, full: int, free: Ints, sets: Bits, sizes: Ints, words: int, held: Ints, chain: Ints
) -> None:
    node = held[job, 0]
    while node >= 0:
        _move(free, sets, sizes, words, node, full)
        node = chain[node]
    node = held[job, 1]
    if node >= 0:
        _move(free, sets, sizes, words, node, free[node] + (gpus if gpus <= full else gpus % full))


@_compile
def replay(submits: Ints, runs: Ints, gpus: Ints, rank: Ints, num_nodes: int, full: int) -> Ints:
    """Return the seconds that each job waits; jobs in order of submission, all of which fit."""
    num_jobs, words = len(submits), (num_nodes + 63) // 64
    sets = np.zeros((full + 1, words + (words + 63) // 64 + 1), np.uint64)
    sizes, free = np.zeros(full + 1, np.int64), np.zeros(num_nodes, np.int64)
    for node in range(num_nodes):
        _move(free, sets, sizes, words, node, full)
    waits, held = np.zeros(num_jobs, np.int64), np.full((num_jobs, 2), -1, np.int64)
    chain = np.full(num_nodes, -1, np.int64)
    queue, ends = np.empty(num_jobs, np.int64), np.empty(num_jobs, np.int64)
    num_queued = num_running = arrived = 0
    while arrived < num_jobs or num_running:
        now = submits[arrived] if arrived < num_jobs else ends[0] >> 24
        if num_running and ends[0] >> 24 < now:
            now = ends[0] >> 24
        while num_running and ends[0] >> 24 == now:
            job = ends[0] & (MAX_JOBS - 1)
            num_running = _pop(ends, num_running)
            _give_back(job, gpus[job], full, free, sets, sizes, words, held, chain)
        while arrived < num_jobs and submits[arrived] == now:
            num_queued = _push(queue, num_queued, (rank[arrived] << 24) + arrived)
            arrived += 1
        while num_queued and _fits(gpus[queue[0] & (MAX_JOBS - 1)], full, sizes):
            job = queue[0] & (MAX_JOBS - 1)
            num_queued = _pop(queue, num_queued)
            _start(job, gpus[job], full, free, sets, sizes, words, held, chain)
            waits[job] = now - submits[job]
            num_running = _push(ends, num_running, ((now + runs[job]) << 24) + job)
    return waits
