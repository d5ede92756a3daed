"""What a fleet looks like at one moment: who waits, who runs where, what is drawn; it decides nothing.

Simulator and live adapters keep one of these. All that `policy.decide` needs to know is found here without
going through the queue or the nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import TypeAlias

import msgspec

from hubbub.errors import InvalidInput
from hubbub.fleet.jobs import Job
from hubbub.fleet.placement import Nodes, Share
from hubbub.fleet.spec import FleetSpec, GridEvent, Pool, Tenant

Rank: TypeAlias = tuple[bool, int]
"""(holds by right, priority): the higher may take from the lower."""


class Claim(msgspec.Struct, gc=False, eq=False):
    """A job on the fleet, waiting or running."""

    job: Job
    tenant: TenantState
    number: int
    """In order of arrival; breaks ties."""
    waiting_since_s: float
    done_s: float = 0.0
    """Work that is safe: it survives a failure."""
    pool: PoolState | None = None
    shares: Sequence[Share] = ()
    started_s: float = 0.0
    is_by_right: bool = False
    num_starts: int = 0
    num_preempted: int = 0
    num_failures: int = 0
    waited_s: float = 0.0
    lost_s: float = 0.0
    """Work that was done and has to be done again."""
    finished_s: float | None = None
    version: int = 0
    """Changes with every start and stop, so that an old event about it is known as old."""

    @property
    def rank(self) -> Rank:
        """How strong its hold is."""
        return (self.is_by_right, self.job.priority)

    def overhead_s(self) -> float:
        """Return what passes from its start until new work is done."""
        return self.job.restart_s if self.num_starts > 1 else 0.0

    def left_s(self) -> float:
        """Return how long it will run from its last start, if nothing happens."""
        return self.overhead_s() + self.job.run_s - self.done_s


class TenantState(msgspec.Struct, gc=False, eq=False):
    """What a tenant holds and waits for."""

    tenant: Tenant
    held_gpus: int = 0
    held_gpu_s: float = 0.0
    """GPUs held times seconds, up to `counted_s`."""
    counted_s: float = 0.0
    right_gpus: int = 0
    queues: dict[int, list[tuple[float, int, Claim]]] = {}
    """By priority, a heap by the policy's order."""
    borrowed: dict[str, Claim] = {}
    """Running beyond the guarantee, oldest first."""

    def hold(self, gpus: int, now_s: float) -> None:
        """Hold so many GPUs more or, below 0, fewer."""
        self.held_gpu_s += self.held_gpus * (now_s - self.counted_s)
        self.counted_s = now_s
        self.held_gpus += gpus


class PoolState(msgspec.Struct, gc=False, eq=False):
    """A pool's nodes and who runs on each."""

    pool: Pool
    nodes: Nodes
    on_node: dict[int, list[Claim]] = {}
    num_ordered: int = 0
    """Rented nodes that are on their way."""
    num_active: int = 0
    active_node_s: float = 0.0
    counted_s: float = 0.0
    idle_since_s: dict[int, float] = {}
    """Of a rented pool's empty nodes."""
    given_back: list[int] = []
    clearable: dict[Rank, dict[int, None]] = {}
    """Nodes by the highest rank that runs on them, last changed last; only where all may be preempted."""
    ceilings: dict[int, Rank] = {}
    """The same by node."""

    def note(self, nodes: Iterable[Share]) -> None:
        """Find anew what is the highest rank on some nodes."""
        for node, _ in nodes:
            before = self.ceilings.pop(node, None)
            if before is not None:
                del self.clearable[before][node]
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
                self.ceilings[node] = rank
                self.clearable.setdefault(rank, {})[node] = None


class SiteState(msgspec.Struct, gc=False, eq=False):
    """A site's power now, kW."""

    name: str
    full_cap_kw: float
    cap_kw: float
    drawn_kw: float = 0.0
    drawn_kws: float = 0.0
    """Energy up to `counted_s`, kW-seconds."""
    counted_s: float = 0.0

    def draw(self, kw: float, now_s: float) -> None:
        """Draw so much more or, below 0, less."""
        self.drawn_kws += self.drawn_kw * (now_s - self.counted_s)
        self.counted_s = now_s
        self.drawn_kw += kw


class FleetState:
    """A whole fleet at one moment; every change is a method, and leaves the sums right."""

    def __init__(self, spec: FleetSpec) -> None:
        self.spec = spec
        self.now_s = 0.0
        self.claims: dict[str, Claim] = {}
        self.sites = {site.name: SiteState(site.name, site.cap_kw, site.cap_kw) for site in spec.sites}
        self.tenants = {tenant.name: TenantState(tenant) for tenant in spec.tenants}
        self.pools: dict[str, PoolState] = {}
        for pool in spec.pools:
            self.pools[pool.name] = PoolState(pool, Nodes(0, pool.gpus_per_node))
            if not pool.is_rented:
                self.add_nodes(self.pools[pool.name], pool.num_nodes)
        self.running: dict[Rank, dict[str, Claim]] = {}
        """By rank, in order of start; only what may be preempted."""
        self.fixed: dict[str, Claim] = {}
        """What may not be."""
        self.rents = any(pool.is_rented for pool in spec.pools)
        self.num_waiting = 0
        self._num_claims = 0

    def tenant(self, name: str) -> TenantState:
        """Return a tenant; one that the fleet's file does not name has no priority and no guarantee."""
        if name not in self.tenants:
            self.tenants[name] = TenantState(Tenant(name=name))
        return self.tenants[name]

    def submit(self, job: Job, order: float) -> Claim:
        """Let a job wait; `order` is the policy's place for it within its tenant's queue.

        Raises:
            InvalidInput: its name is taken.
        """
        if job.id in self.claims:
            raise InvalidInput(f"job {job.id!r} was submitted already; give each its own id")
        tenant = self.tenant(job.tenant)
        claim = Claim(job, tenant, self._num_claims, self.now_s)
        self._num_claims += 1
        self.claims[job.id] = claim
        self._enqueue(claim, order)
        return claim

    def _enqueue(self, claim: Claim, order: float) -> None:
        self.num_waiting += 1
        queue = claim.tenant.queues.setdefault(claim.job.priority, [])
        heappush(queue, (order, claim.number, claim))

    def start(self, claim: Claim, pool: PoolState, shares: Sequence[Share], *, is_by_right: bool) -> None:
        """Run the head of a queue on GPUs that are free."""
        queue = claim.tenant.queues[claim.job.priority]
        if queue[0][2] is not claim:
            raise InvalidInput(f"job {claim.job.id!r} is not the head of its queue")
        heappop(queue)
        if not queue:
            del claim.tenant.queues[claim.job.priority]
        self.num_waiting -= 1
        claim.waited_s += self.now_s - claim.waiting_since_s
        claim.started_s = self.now_s
        claim.num_starts += 1
        self._seat(claim, pool, shares, is_by_right)

    def adopt(self, job: Job, pool: PoolState, shares: Sequence[Share], like: Claim) -> Claim:
        """Take in a job that runs already, with the history of another claim."""
        claim = Claim(job, self.tenant(job.tenant), self._num_claims, like.waiting_since_s)
        self._num_claims += 1
        for field in (
            "done_s",
            "started_s",
            "num_starts",
            "num_preempted",
            "num_failures",
            "waited_s",
            "lost_s",
        ):
            setattr(claim, field, getattr(like, field))
        self.claims[job.id] = claim
        self._seat(claim, pool, shares, like.is_by_right)
        return claim

    def _seat(self, claim: Claim, pool: PoolState, shares: Sequence[Share], is_by_right: bool) -> None:
        pool.nodes.take(shares)
        for node, _ in shares:
            pool.on_node.setdefault(node, []).append(claim)
            pool.idle_since_s.pop(node, None)
        gpus = claim.job.gpus
        self._draw(pool.pool, gpus * (pool.pool.busy_kw_per_gpu - pool.pool.idle_kw_per_gpu))
        claim.pool, claim.shares, claim.is_by_right = pool, shares, is_by_right
        claim.version += 1
        claim.tenant.hold(gpus, self.now_s)
        self._hold(claim)
        pool.note(shares)

    def _hold(self, claim: Claim) -> None:
        if claim.is_by_right:
            claim.tenant.right_gpus += claim.job.gpus
        else:
            claim.tenant.borrowed[claim.job.id] = claim
        held = self.running.setdefault(claim.rank, {}) if claim.job.is_preemptible else self.fixed
        held[claim.job.id] = claim

    def _let_go(self, claim: Claim) -> None:
        if claim.is_by_right:
            claim.tenant.right_gpus -= claim.job.gpus
        else:
            del claim.tenant.borrowed[claim.job.id]
        held = self.running[claim.rank] if claim.job.is_preemptible else self.fixed
        del held[claim.job.id]

    def _free(self, claim: Claim) -> None:
        pool, gpus = claim.pool, claim.job.gpus
        if pool is None:
            raise InvalidInput(f"job {claim.job.id!r} does not run")
        pool.nodes.give(claim.shares)
        for node, _ in claim.shares:
            pool.on_node[node].remove(claim)
            if pool.pool.is_rented and not pool.on_node[node]:
                pool.idle_since_s[node] = self.now_s
        self._draw(pool.pool, -gpus * (pool.pool.busy_kw_per_gpu - pool.pool.idle_kw_per_gpu))
        self._let_go(claim)
        pool.note(claim.shares)
        claim.tenant.hold(-gpus, self.now_s)
        claim.pool, claim.shares = None, ()
        claim.version += 1
        if claim.is_by_right:
            self._promote(claim.tenant)

    def _promote(self, tenant: TenantState) -> None:
        """Make the oldest borrowed holds rights where the guarantee has room again."""
        for claim in list(tenant.borrowed.values()):
            if tenant.right_gpus + claim.job.gpus > tenant.tenant.guaranteed_gpus:
                return
            self._let_go(claim)
            claim.is_by_right = True
            self._hold(claim)
            assert claim.pool is not None
            claim.pool.note(claim.shares)

    def finish(self, claim: Claim) -> None:
        """End a running job that is done."""
        claim.done_s = claim.job.run_s
        self._free(claim)
        claim.finished_s = self.now_s
        del self.claims[claim.job.id]

    def preempt(self, claim: Claim, order: float) -> None:
        """Let a running job save all that it did, and wait again."""
        claim.done_s += max(self.now_s - claim.started_s - claim.overhead_s(), 0.0)
        claim.num_preempted += 1
        self._requeue(claim, order)

    def fail(self, claim: Claim, order: float) -> None:
        """Stop a running job whose node died: what it did since its last checkpoint is lost."""
        worked_s = max(self.now_s - claim.started_s - claim.overhead_s(), 0.0)
        interval_s = claim.job.checkpoint_s
        safe_s = worked_s // interval_s * interval_s if interval_s else 0.0
        claim.done_s += safe_s
        claim.lost_s += worked_s - safe_s
        claim.num_failures += 1
        self._requeue(claim, order)

    def _requeue(self, claim: Claim, order: float) -> None:
        self._free(claim)
        claim.waiting_since_s = self.now_s
        self._enqueue(claim, order)

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
        self._draw(pool.pool, num_nodes * pool.pool.gpus_per_node * pool.pool.idle_kw_per_gpu)

    def claims_on(self, pool: PoolState, node: int) -> list[Claim]:
        """Return who runs on a node."""
        return list(pool.on_node.get(node, ()))

    def apply_cap(self, events: Iterable[GridEvent]) -> None:
        """Set every site's cap to what the grid events that hold now leave of it."""
        for site in self.sites.values():
            cuts = [
                e.cut for e in events if e.site == site.name and 0 <= self.now_s - e.start_s < e.duration_s
            ]
            site.cap_kw = site.full_cap_kw * (1 - max(cuts, default=0.0))

    def _draw(self, pool: Pool, kw: float) -> None:
        if pool.site:
            self.sites[pool.site].draw(kw, self.now_s)

    def copied(self, change: Callable[[Claim], Job] = lambda claim: claim.job) -> FleetState:
        """Return a fleet in the same state, with jobs as `change` would have them, by the same ids."""
        other = FleetState(self.spec)
        other.now_s = self.now_s
        for name, pool in self.pools.items():
            twin = other.pools[name]
            if pool.pool.is_rented:
                other.add_nodes(twin, len(pool.nodes.free))
                other.remove_nodes(twin, pool.given_back)
                twin.idle_since_s = dict(pool.idle_since_s)
            twin.num_ordered = pool.num_ordered
            for node in range(len(pool.nodes.free)):
                if pool.nodes.is_out(node) and not twin.nodes.is_out(node):
                    twin.nodes.remove(node)
        for site, state in self.sites.items():
            other.sites[site].cap_kw = state.cap_kw
        seated = [claim for claim in self.claims.values() if claim.pool is not None]
        for claim in sorted(seated, key=lambda each: each.started_s):
            assert claim.pool is not None
            other.adopt(change(claim), other.pools[claim.pool.pool.name], claim.shares, claim)
        for tenant in self.tenants.values():
            for queue in tenant.queues.values():
                for order, _, claim in sorted(queue, key=lambda entry: entry[:2]):
                    twin_claim = other.submit(change(claim), order)
                    twin_claim.waiting_since_s = claim.waiting_since_s
                    twin_claim.done_s, twin_claim.num_starts = claim.done_s, claim.num_starts
        return other

    def count_up(self) -> None:
        """Bring all sums over time up to now."""
        for tenant in self.tenants.values():
            tenant.hold(0, self.now_s)
        for pool in self.pools.values():
            self._count_nodes(pool, 0)
        for site in self.sites.values():
            site.draw(0.0, self.now_s)
