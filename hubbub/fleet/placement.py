"""Which nodes a gang gets: fullest node first, whole nodes for large jobs, lowest number on a tie.

The rule is the `consolidate` placement of the simulator that Helios published (Hu et al., SC 2021), for nodes
of one size. A job of at most a node's GPUs goes to the node with the fewest free GPUs that suffice. A larger
one gets whole empty nodes; what is left over goes to an empty node if one remains, else to the node with the
most free GPUs. Among equals the lowest number wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import TypeAlias

from hubbub.errors import InvalidInput

Share: TypeAlias = tuple[int, int]
"""(node number, GPUs of it)."""


class Nodes:
    """The free GPUs of a pool of equal nodes; finding and freeing cost the logarithm of their number.

    Every count of free GPUs has a heap of node numbers. A node that leaves a count stays in that heap until
    it comes up, and is then thrown away, as its count tells.
    """

    def __init__(self, num_nodes: int, gpus_per_node: int = 8) -> None:
        if num_nodes < 0 or gpus_per_node < 1:
            raise InvalidInput(f"{num_nodes} nodes of {gpus_per_node} GPUs make no pool; give 1 or more")
        self.gpus_per_node = gpus_per_node
        self.free = [gpus_per_node] * num_nodes
        self.num_free = num_nodes * gpus_per_node
        self._heaps: list[list[int]] = [[] for _ in range(gpus_per_node + 1)]
        self._heaps[gpus_per_node] = list(range(num_nodes))
        self._sizes = [0] * gpus_per_node + [num_nodes]
        self._is_out: set[int] = set()
        self._looked_at: dict[int, list[int]] = {}
        """Off their heap since the last look: those that were not taken go back at the next."""

    @property
    def num_empty(self) -> int:
        """Count the nodes on which nothing runs."""
        return self._sizes[-1]

    def fits(self, gpus: int) -> bool:
        """Tell whether a gang could be placed, without looking for where."""
        whole, rest = divmod(gpus, self.gpus_per_node) if gpus > self.gpus_per_node else (0, gpus)
        if gpus > self.num_free or whole > self._sizes[-1]:
            return False
        return not rest or self._sizes[-1] > whole or any(self._sizes[rest:-1])

    def place(self, gpus: int) -> list[Share] | None:
        """Return where a gang goes, None where it does not fit; nothing is taken yet."""
        if not self.fits(gpus):
            return None
        whole, rest = divmod(gpus, self.gpus_per_node) if gpus > self.gpus_per_node else (0, gpus)
        shares = [(node, self.gpus_per_node) for node in self._lowest(self.gpus_per_node, whole)]
        if not rest:
            return shares
        if not whole:
            free = next(free for free in range(rest, self.gpus_per_node + 1) if self._sizes[free])
            return [(self._lowest(free, 1)[0], rest)]
        return [*shares, (self._roomiest(beside=whole), rest)]

    def _roomiest(self, beside: int) -> int:
        """Return the node with the most free GPUs, besides so many empty ones."""
        if self._sizes[-1] > beside:
            return self._lowest(self.gpus_per_node, beside + 1)[-1]
        free = next(free for free in range(self.gpus_per_node - 1, 0, -1) if self._sizes[free])
        return self._lowest(free, 1)[0]

    def take(self, shares: Sequence[Share]) -> None:
        """Take the GPUs of a gang."""
        for node, gpus in shares:
            self._move(node, self.free[node] - gpus)

    def give(self, shares: Sequence[Share]) -> None:
        """Give a gang's GPUs back."""
        for node, gpus in shares:
            self._move(node, self.free[node] + gpus)

    def _move(self, node: int, free: int) -> None:
        before = self.free[node]
        if not 0 <= free <= self.gpus_per_node:
            raise InvalidInput(f"node {node} would have {free} free GPUs of {self.gpus_per_node}")
        self.free[node] = free
        if node in self._is_out:
            return
        self.num_free += free - before
        self._sizes[before] -= 1
        self._sizes[free] += 1
        if free:  # full nodes are never looked for
            heappush(self._heaps[free], node)

    def is_out(self, node: int) -> bool:
        """Tell whether a node was removed."""
        return node in self._is_out

    def remove(self, node: int) -> None:
        """Place nothing on a node until it is `restore`d; what runs on it gives back as usual."""
        if node not in self._is_out:
            self._is_out.add(node)
            self.num_free -= self.free[node]
            self._sizes[self.free[node]] -= 1

    def restore(self, node: int) -> None:
        """Let a node in again with the GPUs that are free on it."""
        if node in self._is_out:
            self._is_out.remove(node)
            self.num_free += self.free[node]
            self._sizes[self.free[node]] += 1
            if self.free[node]:
                heappush(self._heaps[self.free[node]], node)

    def add(self, num_nodes: int) -> range:
        """Let new nodes in, and return their numbers."""
        added = range(len(self.free), len(self.free) + num_nodes)
        self.free += [self.gpus_per_node] * num_nodes
        self.num_free += num_nodes * self.gpus_per_node
        self._sizes[-1] += num_nodes
        for node in added:
            heappush(self._heaps[-1], node)
        return added

    def _lowest(self, free: int, count: int) -> list[int]:
        """Return the lowest numbered nodes with exactly so many free GPUs."""
        heap, counts, out = self._heaps[free], self.free, self._is_out
        if len(heap) > 4 * self._sizes[free] + 64:
            heap[:] = {node for node in heap if counts[node] == free and node not in out}
            heapify(heap)
        for node in self._looked_at.pop(free, ()):
            if counts[node] == free:
                heappush(heap, node)
        found: list[int] = []
        while len(found) < count:
            while counts[heap[0]] != free or heap[0] in out or (found and heap[0] == found[-1]):
                heappop(heap)
            if count == 1:
                return [heap[0]]
            found.append(heappop(heap))
        self._looked_at[free] = found
        return found
