"""Which documents make up which batch: a pure function of seed and batch number, whatever the ranks.

It knows lengths only, no tokens, no torch. Batch k holds the documents whose first token lies in tokens
[k B, (k + 1) B) of an endless stream of shuffled epochs, so that resuming needs nothing but a number.
"""

from __future__ import annotations

import heapq

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
_MASK = (1 << 64) - 1


class Order:
    """Shuffled epochs of documents of these lengths in tokens, cut into batches of about `batch_tokens`."""

    def __init__(self, seed: int, lengths: npt.NDArray[np.integer], batch_tokens: int) -> None:
        self.seed, self.batch_tokens = seed, batch_tokens
        self.lengths = np.ascontiguousarray(lengths, dtype=np.int64)
        self.epoch_tokens = int(self.lengths.sum())
        self._epochs: dict[int, tuple[Ints, Ints]] = {}

    def batch(self, number: int) -> Ints:
        """Return the documents of one batch, as positions in `lengths`; none where one long one covers it."""
        start, stop = number * self.batch_tokens, (number + 1) * self.batch_tokens
        parts = []
        for epoch in range(start // self.epoch_tokens, (stop - 1) // self.epoch_tokens + 1):
            documents, starts = self._epoch(epoch)
            offset = epoch * self.epoch_tokens
            first, end = np.searchsorted(starts, (start - offset, stop - offset))
            parts.append(documents[first:end])
        return np.concatenate(parts)

    def _epoch(self, epoch: int) -> tuple[Ints, Ints]:
        if epoch not in self._epochs:
            documents = shuffled(len(self.lengths), self.seed, epoch)
            ends = np.cumsum(self.lengths[documents])
            self._epochs[epoch] = documents, ends - self.lengths[documents]
            for old in [number for number in self._epochs if number < epoch - 1]:
                del self._epochs[old]
        return self._epochs[epoch]


def batch(seed: int, number: int, lengths: npt.NDArray[np.integer], batch_tokens: int) -> Ints:
    """Return the documents of one batch; an `Order` keeps the epoch for the next."""
    return Order(seed, lengths, batch_tokens).batch(number)


def shuffled(num: int, seed: int, epoch: int) -> Ints:
    """Return 0 to num - 1 in an order of their own for each seed and epoch, on any machine and any numpy.

    Sorted by splitmix64 (Steele et al., OOPSLA 2014); numpy's own shuffles may change between versions.
    """
    key = _mix_int(_mix_int(seed & _MASK) ^ epoch)
    z = np.arange(num, dtype=np.uint64) + np.uint64(key)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.argsort(z ^ (z >> np.uint64(31)), kind="stable")


def _mix_int(z: int) -> int:
    z = (z + 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def cut(lengths: Ints, seq: int) -> tuple[Ints, Ints, Ints]:
    """Cut documents into parts of at most `seq` tokens and the one to predict: (document, start, tokens)."""
    num_parts = np.maximum(-(-(lengths - 1) // seq), 1)
    owner = np.repeat(np.arange(len(lengths)), num_parts)
    part = np.arange(len(owner)) - np.repeat(np.cumsum(num_parts) - num_parts, num_parts)
    return owner, part * seq, np.minimum(lengths[owner] - part * seq, seq + 1)


def buckets(lengths: Ints, micro_tokens: int) -> list[list[Ints]]:
    """Group parts of like lengths into rectangles of at most `micro_tokens`, one part a row, longest first.

    On a CPU 24-token documents as rows cost 26 ms where the same packed under a mask cost 319
    (shared/reference/training.md, 4.1).
    """
    order = np.argsort(-lengths, kind="stable")
    micros: list[list[Ints]] = []
    start = 0
    while start < len(order):
        num_rows = max(1, micro_tokens // max(int(lengths[order[start]]) - 1, 1))
        micros.append([order[n : n + 1] for n in range(start, min(start + num_rows, len(order)))])
        start += num_rows
    return micros


def packed(lengths: Ints, seq: int, rows: int) -> list[list[Ints]]:
    """Pack whole parts into rows of `seq` tokens, `rows` rows a micro batch: longest first, emptiest row.

    Needs a document mask; every micro batch has one shape, so that a compiled model is compiled once.
    """
    bins: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (-free, row)
    for part in np.argsort(-lengths, kind="stable").tolist():
        size = max(int(lengths[part]) - 1, 1)
        if room and -room[0][0] >= size:
            free, row = room[0]
            bins[row].append(part)
            heapq.heapreplace(room, (free + size, row))
        else:
            bins.append([part])
            heapq.heappush(room, (size - seq, len(bins) - 1))
    full = [np.array(parts, dtype=np.int64) for parts in bins]
    return [full[n : n + rows] for n in range(0, len(full), rows)]
