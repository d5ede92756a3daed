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
def _fits(whole: int, rest: int, full: int, sizes: Ints) -> bool:
    if whole > sizes[full]:
        return False
    if not rest or sizes[full] > whole:
        return True
    for free in range(rest, full):
        if sizes[free]:
            return True
    return False


@_compile
def _start(
    slot: int,
    whole: int,
    rest: int,
    full: int,
    free: Ints,
    sets: Bits,
    sizes: Ints,
    words: int,
    held: Ints,
    chain: Ints,
) -> None:
    """Take GPUs, and note them: chained from the first whole node, the partly used node, how much of it."""
    held[slot, 0], held[slot, 2] = -1, rest
    for _ in range(whole):
        node = _lowest(sets[full], words)
        _move(free, sets, sizes, words, node, 0)
        chain[node] = held[slot, 0]
        held[slot, 0] = node
    if rest:
        count, step = (full, -1) if whole else (rest, 1)  # the roomiest node, or the fullest that suffices
        while not sizes[count]:
            count += step
        node = _lowest(sets[count], words)
        _move(free, sets, sizes, words, node, count - rest)
        held[slot, 1] = node


@_compile
def _give_back(
    slot: int, full: int, free: Ints, sets: Bits, sizes: Ints, words: int, held: Ints, chain: Ints
) -> None:
    node = held[slot, 0]
    while node >= 0:
        _move(free, sets, sizes, words, node, full)
        node = chain[node]
    if held[slot, 2]:
        node = held[slot, 1]
        _move(free, sets, sizes, words, node, free[node] + held[slot, 2])


@_compile
def replay(
    submits: Ints, runs: Ints, wholes: Ints, rests: Ints, is_sjf: bool, num_nodes: int, full: int
) -> Ints:
    """Return the seconds that each job waits; jobs in order of submission, all of which fit.

    A job takes so many whole nodes, and `rests` GPUs of one more.
    """
    num_jobs, words = len(submits), (num_nodes + 63) // 64
    sets = np.zeros((full + 1, words + (words + 63) // 64 + 1), np.uint64)
    sizes, free = np.zeros(full + 1, np.int64), np.zeros(num_nodes, np.int64)
    for node in range(num_nodes):
        _move(free, sets, sizes, words, node, full)
    waits, queue = np.zeros(num_jobs, np.int64), np.empty(num_jobs if is_sjf else 0, np.int64)
    most = min(
        num_jobs, num_nodes * full
    )  # that run at once, each in a slot: few, so that they stay in cache
    ends, slots, held = np.empty(most, np.int64), np.arange(most), np.empty((most, 3), np.int64)
    chain = np.empty(num_nodes, np.int64)
    num_queued = num_running = arrived = 0
    while arrived < num_jobs or num_running:
        now = submits[arrived] if arrived < num_jobs else ends[0] >> 24
        if num_running and ends[0] >> 24 < now:
            now = ends[0] >> 24
        while num_running and ends[0] >> 24 == now:
            slot = ends[0] & (MAX_JOBS - 1)
            num_running = _pop(ends, num_running)
            slots[num_running] = slot
            _give_back(slot, full, free, sets, sizes, words, held, chain)
        while arrived < num_jobs and submits[arrived] == now:
            if is_sjf:
                num_queued = _push(queue, num_queued, (runs[arrived] << 24) + arrived)
            else:  # the last that came are the queue
                num_queued += 1
            arrived += 1
        while num_queued:
            job = queue[0] & (MAX_JOBS - 1) if is_sjf else arrived - num_queued
            if not _fits(wholes[job], rests[job], full, sizes):
                break
            num_queued = _pop(queue, num_queued) if is_sjf else num_queued - 1
            slot = slots[num_running]
            _start(slot, wholes[job], rests[job], full, free, sets, sizes, words, held, chain)
            waits[job] = now - submits[job]
            num_running = _push(ends, num_running, ((now + runs[job]) << 24) + slot)
    return waits
