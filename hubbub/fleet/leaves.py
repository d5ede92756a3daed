"""Which empty nodes a gang gets under leaf switches: those of as few leaves as possible; it knows no shares.

Traffic within a leaf crosses one switch, between leaves three and the oversubscribed part of the fabric. The
best fitting leaf is taken (the fewest empty nodes that suffice); where none suffices, first whole leaves,
emptiest first: no other choice needs fewer. Among equals the lowest number wins. Avoided nodes come last.
"""

from __future__ import annotations

from bisect import bisect_left, insort


class Leaves:
    """The empty nodes of a pool by leaf; node n hangs on leaf n // nodes_per_leaf.

    Adding and taking away move a few numbers in short sorted lists; choosing looks at the counts of one leaf
    and at the leaves that it takes.
    """

    def __init__(self, nodes_per_leaf: int) -> None:
        self._size = nodes_per_leaf
        self._nodes: list[list[int]] = []
        self._of_count: list[list[int]] = [[] for _ in range(nodes_per_leaf + 1)]
        self._avoided: list[int] = []

    def add(self, node: int, *, is_avoided: bool = False) -> None:
        """Let an empty node in."""
        if is_avoided:
            insort(self._avoided, node)
            return
        leaf = node // self._size
        while leaf >= len(self._nodes):
            self._of_count[0].append(len(self._nodes))
            self._nodes.append([])
        before = len(self._nodes[leaf])
        insort(self._nodes[leaf], node)
        self._recount(leaf, before)

    def discard(self, node: int) -> None:
        """Take a node away that is empty no more."""
        leaf = node // self._size
        if _drop(self._avoided, node):
            return
        before = len(self._nodes[leaf])
        _drop(self._nodes[leaf], node)
        self._recount(leaf, before)

    def _recount(self, leaf: int, before: int) -> None:
        _drop(self._of_count[before], leaf)
        insort(self._of_count[len(self._nodes[leaf])], leaf)

    def choose(self, wanted: int) -> list[int]:
        """Return so many of the empty nodes, which must be there; nothing is taken."""
        chosen: list[int] = []
        for count in range(self._size, 0, -1):
            for at, leaf in enumerate(self._of_count[count]):
                lacking = wanted - len(chosen)
                if lacking <= count:
                    return [*chosen, *self._nodes[self._best_fit(lacking, count, at)][:lacking]]
                chosen += self._nodes[leaf]
        return [*chosen, *self._avoided[: wanted - len(chosen)]]

    def _best_fit(self, wanted: int, most: int, num_used: int) -> int:
        """Return the leaf that fits best; of those with `most` empty nodes the first few are used already."""
        for count in range(wanted, most):
            if self._of_count[count]:
                return self._of_count[count][0]
        return self._of_count[most][num_used]


def _drop(numbers: list[int], number: int) -> bool:
    at = bisect_left(numbers, number)
    if at == len(numbers) or numbers[at] != number:
        return False
    del numbers[at]
    return True
