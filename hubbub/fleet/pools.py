"""A pool's nodes and who runs on each, and what a site draws; they decide nothing."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hubbub.fleet.claims import Claim, Rank
from hubbub.fleet.health import Observation
from hubbub.fleet.placement import Nodes, Share
from hubbub.fleet.spec import Pool


class SiteState(msgspec.Struct, eq=False):
    """A site's power now, kW."""

    name: str
    full_cap_kw: float
    cap_kw: float
    can_slow: bool = False
    """Whether GPUs here may run below their full clock."""
    drawn_kw: float = 0.0
    drawn_kws: float = 0.0
    """Energy up to `counted_s`, kW-seconds."""
    counted_s: float = 0.0

    def draw(self, kw: float, now_s: float) -> None:
        """Draw so much more or, below 0, less."""
        self.drawn_kws += self.drawn_kw * (now_s - self.counted_s)
        self.counted_s = now_s
        self.drawn_kw += kw


class PoolState(msgspec.Struct, eq=False):
    """A pool's nodes and who runs on each."""

    pool: Pool
    nodes: Nodes
    site: SiteState | None
    kw_per_gpu: float
    """What a busy GPU draws above an idle one."""
    on_node: dict[int, list[Claim]] = {}
    num_ordered: int = 0
    """Rented nodes that are on their way."""
    num_active: int = 0
    active_node_s: float = 0.0
    counted_s: float = 0.0
    idle_since_s: dict[int, float] = {}
    """Of a rented pool's empty nodes."""
    given_back: list[int] = []
    spares: list[int] = []
    """Nodes kept idle for gangs whose node fails."""
    failures: list[Observation] = []
    """What is known of its nodes' health, in order of time."""
    drained: dict[int, float] = {}
    """Nodes that are out for their health, and when they are back."""
    _changed: dict[int, None] = {}
    """Nodes on which somebody came or left since the last look, in that order."""
    _clearable: dict[Rank, dict[int, None]] = {}
    _ceilings: dict[int, Rank] = {}

    def draw(self, kw: float, now_s: float) -> None:
        """Draw so much more or, below 0, less at its site, if it has one."""
        if self.site is not None:
            self.site.draw(kw, now_s)

    def seat(self, claim: Claim, shares: Iterable[Share]) -> None:
        """Let a job onto nodes."""
        on_node, changed, idle = self.on_node, self._changed, self.idle_since_s
        for node, _ in shares:
            on_node.setdefault(node, []).append(claim)
            if idle:
                idle.pop(node, None)
            if node in changed:
                del changed[node]
            changed[node] = None

    def leave(self, claim: Claim, now_s: float) -> None:
        """Let a job off all of its nodes."""
        on_node, changed = self.on_node, self._changed
        for node, _ in claim.shares:
            on_node[node].remove(claim)
            if self.pool.is_rented and not on_node[node]:
                self.idle_since_s[node] = now_s
            if node in changed:
                del changed[node]
            changed[node] = None

    def note(self, claim: Claim) -> None:
        """Remember that a job's rank changed."""
        for node, _ in claim.shares:
            self._changed.pop(node, None)
            self._changed[node] = None

    def clearable(self) -> dict[Rank, dict[int, None]]:
        """Return nodes by the highest rank that runs on them, last changed last; only where all may leave."""
        clearable, ceilings = self._clearable, self._ceilings
        for node in self._changed:
            before = ceilings.pop(node, None)
            if before is not None:
                del clearable[before][node]
            claims = self.on_node[node]
            if not claims:
                continue
            if len(claims) == 1:
                rank = claims[0].rank if claims[0].job.is_preemptible else None
            elif all(claim.job.is_preemptible for claim in claims):
                rank = max(claim.rank for claim in claims)
            else:
                rank = None
            if rank is not None:
                ceilings[node] = rank
                clearable.setdefault(rank, {})[node] = None
        self._changed.clear()
        return clearable
