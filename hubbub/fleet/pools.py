"""A pool's nodes and who runs on each, and what a site draws; they decide nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hubbub.fleet.claims import Claim, Rank
from hubbub.fleet.health import Observation
from hubbub.fleet.placement import Nodes, Share
from hubbub.fleet.spec import Pool

_MOST_CHANGED = 1 << 20


@dataclass(eq=False, slots=True)
class SiteState:
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


@dataclass(eq=False, slots=True)
class PoolState:
    """A pool's nodes and who runs on each."""

    pool: Pool
    nodes: Nodes
    site: SiteState | None
    kw_per_gpu: float
    """What a busy GPU draws above an idle one."""
    on_node: defaultdict[int, list[Claim]] = field(default_factory=lambda: defaultdict(list))
    num_ordered: int = 0
    """Rented nodes that are on their way."""
    num_active: int = 0
    active_node_s: float = 0.0
    counted_s: float = 0.0
    idle_since_s: dict[int, float] = field(default_factory=dict)
    """Of a rented pool's empty nodes."""
    given_back: list[int] = field(default_factory=list)
    spares: list[int] = field(default_factory=list)
    """Nodes kept idle for gangs whose node fails."""
    failures: list[Observation] = field(default_factory=list)
    """What is known of its nodes' health, in order of time."""
    drained: dict[int, float] = field(default_factory=dict)
    """Nodes that are out for their health, and when they are back."""
    _changed: list[Share] = field(default_factory=list)
    """Nodes on which somebody came or left since the last look, in that order; any may be there often."""
    _clearable: dict[Rank, dict[int, None]] = field(default_factory=dict)
    _ceilings: dict[int, Rank] = field(default_factory=dict)

    def draw(self, kw: float, now_s: float) -> None:
        """Draw so much more or, below 0, less at its site, if it has one."""
        if self.site is not None:
            self.site.draw(kw, now_s)

    def seat(self, claim: Claim, shares: Sequence[Share]) -> None:
        """Let a job onto nodes."""
        on_node, idle = self.on_node, self.idle_since_s
        for node, _ in shares:
            on_node[node].append(claim)
            if idle:
                idle.pop(node, None)
        self._changed += shares
        if len(self._changed) > _MOST_CHANGED:  # nobody looks: keep the last of each
            self._changed[:] = [(node, 0) for node in self._last_changed()]

    def leave(self, claim: Claim, now_s: float) -> None:
        """Let a job off all of its nodes."""
        on_node, is_rented = self.on_node, self.pool.is_rented
        for node, _ in claim.shares:
            here = on_node[node]
            here.remove(claim)
            if is_rented and not here:
                self.idle_since_s[node] = now_s
        self._changed += claim.shares

    def note(self, claim: Claim) -> None:
        """Remember that a job's rank changed."""
        self._changed += claim.shares

    def _last_changed(self) -> Iterator[int]:
        """Return each changed node once, in the order of their last changes."""
        return reversed(dict.fromkeys(node for node, _ in reversed(self._changed)))

    def clearable(self) -> dict[Rank, dict[int, None]]:
        """Return nodes by the highest rank that runs on them, last changed last; only where all may leave."""
        clearable, ceilings = self._clearable, self._ceilings
        for node in self._last_changed():
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
