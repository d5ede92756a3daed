"""Which nodes a gang gets: fullest node first, whole nodes for large jobs, lowest number on a tie.

The rule is the `consolidate` placement of the simulator that Helios published (Hu et al., SC 2021), for nodes
of one size. A job of at most a node's GPUs goes to the node with the fewest free GPUs that suffice. A larger
one gets whole empty nodes; what is left over goes to an empty node if one remains, else to the node with the
most free GPUs. Among equals the lowest number wins, but nodes to be avoided come last.

Where the leaf switches are known, empty nodes are taken by leaf (`leaves.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from heapq import heapify, heappop, heappush
from typing import TypeAlias

from hubbub.errors import InvalidInput
from hubbub.fleet.leaves import Leaves

_LAST = 1 << 40
"""Added to an avoided node's number on the heaps."""

Share: TypeAlias = tuple[int, int]
"""(node number, GPUs of it)."""


class Nodes:
    """The free GPUs of a pool of equal nodes; finding and freeing cost the logarithm of their number.

    Every count of free GPUs has a heap of node numbers. A node that leaves a count stays in that heap until
    it comes up, and is then thrown away, as its count tells. Empty nodes under known leaves have no heap.
    """

    def __init__(self, num_nodes: int, gpus_per_node: int = 8, nodes_per_leaf: int = 0) -> None:
        if num_nodes < 0 or gpus_per_node < 1 or nodes_per_leaf < 0:
            raise InvalidInput(
                f"{num_nodes} nodes of {gpus_per_node} GPUs, {nodes_per_leaf} a leaf, make no pool; give "
                "1 or more nodes and GPUs, and 0 where the leaves are unknown"
            )
        self.gpus_per_node = gpus_per_node
        self.free: list[int] = []
        self.num_free = 0
        self._leaves = Leaves(nodes_per_leaf) if nodes_per_leaf else None
        self._heaps: list[list[int]] = [[] for _ in range(gpus_per_node + 1)]
        self._keys: list[int] = []
        """What stands for a node on a heap: its number, more if it is avoided."""
        self._sizes = [0] * (gpus_per_node + 1)
        self._is_out: set[int] = set()
        self._looked_at: list[int] = []
        """Empty ones, off their heap since the last look: those that were not taken go back at the next."""
        self.add(num_nodes)

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
        full, sizes = self.gpus_per_node, self._sizes
        if gpus <= full:
            for free in range(gpus, full):
                if sizes[free]:
                    return [(self._lowest(free), gpus)]
            return [(self._empty(1)[0], gpus)] if sizes[full] else None
        if not self.fits(gpus):
            return None
        whole, rest = divmod(gpus, full)
        if not rest:
            return [(node, full) for node in self._empty(whole)]
        if sizes[full] > whole:
            *nodes, last = self._empty(whole + 1)
        else:
            nodes = self._empty(whole)
            last = self._lowest(next(free for free in range(full - 1, 0, -1) if sizes[free]))
        return [*[(node, full) for node in nodes], (last, rest)]

    def _empty(self, count: int) -> list[int]:
        """Return the empty nodes that come first."""
        if self._leaves is not None:
            return self._leaves.choose(count)
        full = self.gpus_per_node
        heap, found = self._heaps[full], list[int]()
        if self._looked_at:
            for node in self._looked_at:
                if self.free[node] == full:
                    heappush(heap, self._keys[node])
            self._looked_at.clear()
        if count == 1:
            return [self._lowest(full)]
        while len(found) < count:
            node = self._lowest(full)
            heappop(heap)
            if not found or node != found[-1]:
                found.append(node)
        self._looked_at += found
        return found

    def take(self, shares: Sequence[Share]) -> None:
        """Take the GPUs of a gang."""
        self.give(shares, -1)

    def give(self, shares: Sequence[Share], sign: int = 1) -> None:
        """Give a gang's GPUs back."""
        counts, sizes, out, full = self.free, self._sizes, self._is_out, self.gpus_per_node
        for node, gpus in shares:
            before = counts[node]
            free = before + sign * gpus
            if not 0 <= free <= full:
                raise InvalidInput(f"node {node} would have {free} free GPUs of {full}")
            counts[node] = free
            if node in out:
                continue
            self.num_free += free - before
            sizes[before] -= 1
            sizes[free] += 1
            if self._leaves is not None and full in (before, free):
                self._note_leaf(node, before)
            elif free:  # full nodes are never looked for
                heappush(self._heaps[free], self._keys[node])

    def _note_leaf(self, node: int, before: int) -> None:
        """Tell the leaves that a node, which had so many free GPUs, is empty now, or no longer."""
        assert self._leaves is not None
        if before == self.gpus_per_node:
            self._leaves.discard(node)
        self._join(node)

    def _join(self, node: int) -> None:
        """Let a node be found by its free GPUs."""
        free = self.free[node]
        if self._leaves is not None and free == self.gpus_per_node:
            self._leaves.add(node, is_avoided=self.is_avoided(node))
        elif free:
            heappush(self._heaps[free], self._keys[node])

    def _quit(self, node: int) -> None:
        """Let a node no longer be found; on its heap it is known as old once out or with another key."""
        if self._leaves is not None and self.free[node] == self.gpus_per_node:
            self._leaves.discard(node)

    def is_avoided(self, node: int) -> bool:
        """Tell whether a node comes last."""
        return self._keys[node] >= _LAST

    def avoid(self, node: int, *, is_avoided: bool = True) -> None:
        """Place on a node only where its equals do not suffice, or no longer so."""
        if self.is_avoided(node) == is_avoided:
            return
        is_in = node not in self._is_out
        if is_in:
            self._quit(node)
        self._keys[node] = node + _LAST * is_avoided
        if is_in:
            self._join(node)

    @property
    def removed(self) -> AbstractSet[int]:
        """The nodes on which nothing is placed."""
        return self._is_out

    def is_out(self, node: int) -> bool:
        """Tell whether a node was removed."""
        return node in self._is_out

    def remove(self, node: int) -> None:
        """Place nothing on a node until it is `restore`d; what runs on it gives back as usual."""
        if node not in self._is_out:
            self._quit(node)
            self._is_out.add(node)
            self.num_free -= self.free[node]
            self._sizes[self.free[node]] -= 1

    def restore(self, node: int) -> None:
        """Let a node in again with the GPUs that are free on it."""
        if node in self._is_out:
            self._is_out.remove(node)
            self.num_free += self.free[node]
            self._sizes[self.free[node]] += 1
            self._join(node)

    def add(self, num_nodes: int) -> range:
        """Let new nodes in, and return their numbers."""
        added = range(len(self.free), len(self.free) + num_nodes)
        self.free += [self.gpus_per_node] * num_nodes
        self._keys += added
        self.num_free += num_nodes * self.gpus_per_node
        self._sizes[-1] += num_nodes
        for node in added:
            self._join(node)
        return added

    def _lowest(self, free: int) -> int:
        """Return the lowest numbered node with exactly so many free GPUs; one must be there."""
        heap, counts, keys, out = self._heaps[free], self.free, self._keys, self._is_out
        if len(heap) > 4 * self._sizes[free] + 64:
            heap[:] = {keys[node] for node in (key % _LAST for key in heap) if counts[node] == free} - out
            heapify(heap)
        while True:
            key = heap[0]
            node = key % _LAST
            if counts[node] == free and keys[node] == key and node not in out:
                return node
            heappop(heap)
