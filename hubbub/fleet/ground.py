"""What a fleet stands on: pools of nodes, sites with power, deliveries to come; it starts no job."""

from __future__ import annotations

from collections.abc import Iterable

from hubbub.errors import InvalidInput
from hubbub.fleet.health import Observation
from hubbub.fleet.placement import Nodes
from hubbub.fleet.pools import PoolState, SiteState
from hubbub.fleet.spec import FleetSpec, GridEvent
from hubbub.fleet.supply import Supply


class Ground:
    """Nodes and power at one moment."""

    def __init__(self, spec: FleetSpec) -> None:
        self.spec = spec
        self.now_s = 0.0
        slow = {pool.site for pool in spec.pools if pool.min_clock < 1}
        self.sites = {
            site.name: SiteState(site.name, site.cap_kw, site.cap_kw, site.name in slow)
            for site in spec.sites
        }
        self.pools: dict[str, PoolState] = {}
        for pool in spec.pools:
            self.pools[pool.name] = PoolState(
                pool,
                Nodes(0, pool.gpus_per_node, pool.nodes_per_leaf),
                self.sites.get(pool.site),
                pool.busy_kw_per_gpu - pool.idle_kw_per_gpu,
            )
            if not pool.is_rented:
                self.add_nodes(self.pools[pool.name], pool.num_nodes)
                for node in range(pool.num_nodes - pool.num_spares, pool.num_nodes):
                    self._keep_spare(self.pools[pool.name], node)
        self.own_pools = [pool for pool in self.pools.values() if not pool.pool.is_rented]
        self.rents = any(pool.is_rented for pool in spec.pools)
        self.supply: Supply | None = None
        self.has_news = self.rents
        """Whether there may be something to decide although nothing waits."""

    def drain_node(self, pool: PoolState, node: int) -> None:
        """Start nothing more on a node until it is mended; what runs on it goes on."""
        pool.nodes.remove(node)
        pool.idle_since_s.pop(node, None)
        pool.drained[node] = self.now_s + pool.pool.mend_s

    def mend_node(self, pool: PoolState, node: int) -> None:
        """Let a node in again: as a spare where one is missing; one that was drained starts anew."""
        if pool.drained.pop(node, None) is not None:
            pool.failures.append(Observation(at_s=self.now_s, node=str(node), kind="mended"))
            pool.nodes.avoid(node, is_avoided=False)
        if len(pool.spares) < pool.pool.num_spares:
            self._keep_spare(pool, node)
            return
        pool.nodes.restore(node)
        if pool.pool.is_rented:
            pool.idle_since_s[node] = self.now_s

    def _keep_spare(self, pool: PoolState, node: int) -> None:
        pool.nodes.remove(node)
        pool.spares.append(node)

    def expect(self, supply: Supply) -> None:
        """Await deliveries."""
        self.supply, self.has_news = supply, True

    def add_nodes(self, pool: PoolState, num_nodes: int) -> None:
        """Let nodes in that were rented or delivered; numbers that were given back are used again."""
        again = pool.given_back[:num_nodes]
        del pool.given_back[:num_nodes]
        for node in again:
            pool.nodes.restore(node)
        new = [*again, *pool.nodes.add(num_nodes - len(again))]
        if pool.pool.is_rented:
            pool.idle_since_s.update((node, self.now_s) for node in new)
        self._count_nodes(pool, num_nodes)

    def remove_nodes(self, pool: PoolState, nodes: Iterable[int]) -> None:
        """Give rented nodes back, on which nothing runs."""
        for node in nodes:
            if pool.on_node.get(node):
                raise InvalidInput(
                    f"node {node} of pool {pool.pool.name!r} still works; preempt its jobs first"
                )
            pool.nodes.remove(node)
            pool.idle_since_s.pop(node, None)
            pool.given_back.append(node)
            self._count_nodes(pool, -1)

    def _count_nodes(self, pool: PoolState, num_nodes: int) -> None:
        pool.active_node_s += pool.num_active * (self.now_s - pool.counted_s)
        pool.counted_s = self.now_s
        pool.num_active += num_nodes
        pool.draw(num_nodes * pool.pool.gpus_per_node * pool.pool.idle_kw_per_gpu, self.now_s)

    def apply_cap(self, events: Iterable[GridEvent]) -> None:
        """Set every site's cap to what the grid events that hold now leave of it."""
        for site in self.sites.values():
            cuts = [
                event.cut
                for event in events
                if event.site == site.name
                and event.start_s - event.notice_s <= self.now_s < event.start_s + event.duration_s
            ]
            site.cap_kw = site.full_cap_kw * (1 - max(cuts, default=0.0))
