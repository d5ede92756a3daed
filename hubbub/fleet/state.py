"""What a fleet looks like at one moment: who waits, who runs where, what is drawn; it decides nothing.

Simulator and live adapters keep one of these. All that `policy.decide` needs to know is found here without
going through the queue or the nodes.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from heapq import heapify, heappop, heappush

import msgspec

from hubbub.errors import InvalidInput
from hubbub.fleet.claims import Claim, Rank
from hubbub.fleet.clocks import clock_at
from hubbub.fleet.ground import Ground
from hubbub.fleet.health import Observation
from hubbub.fleet.jobs import Job
from hubbub.fleet.placement import Share
from hubbub.fleet.pools import PoolState, SiteState
from hubbub.fleet.spec import FleetSpec, Tenant
from hubbub.fleet.tenants import TenantState

__all__ = ["Claim", "FleetState", "PoolState", "Rank", "SiteState", "TenantState"]


class Orphan(msgspec.Struct, frozen=True, eq=False):
    """What a gang held when one of its nodes failed: it may go on at once on a hot spare."""

    pool: PoolState
    kept: tuple[Share, ...]
    gpus: int
    """On the node that failed."""
    at_s: float


class FleetState(Ground):
    """A whole fleet at one moment; every change is a method, and leaves the sums right."""

    def __init__(self, spec: FleetSpec) -> None:
        super().__init__(spec)
        self.claims: dict[str, Claim] = {}
        self.half_life_s = 0.0
        self.tenants: dict[str, TenantState] = {}
        for tenant in spec.tenants:
            self._let_in(tenant)
        self.running: dict[Rank, dict[str, Claim]] = {}
        """By rank, in order of start; only what may be preempted."""
        self.fixed: dict[str, Claim] = {}
        """What may not be."""
        self.reduced: dict[str, Claim] = {}
        """What runs on fewer GPUs than it asked for, or below their full clock."""
        self.orphans: dict[str, Orphan] = {}
        self.weigh: Callable[[Claim], float] | None = None
        """Who leaves first among equals; kept sorted from the first start on."""
        self._weighed: dict[Rank, list[tuple[float, int, Claim]]] = {}
        self.num_waiting = 0
        self.queuing: dict[str, TenantState] = {}
        """The tenants with jobs that wait."""
        self._num_claims = 0

    def _let_in(self, tenant: Tenant) -> None:
        self.tenants[tenant.name] = TenantState(tenant, self.half_life_s, tenant.guaranteed_gpus)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is to be decided, as long as no cap falls and no node fails."""
        return not (self.num_waiting or self.reduced or self.has_news)

    def keep_usage(self) -> None:
        """Keep what each tenant used, halved every half-life, from here on."""
        self.half_life_s = self.spec.half_life_days * 86_400
        for tenant in self.tenants.values():
            tenant.half_life_s = self.half_life_s

    def tenant(self, name: str) -> TenantState:
        """Return a tenant; one that the fleet's file does not name has no priority and no guarantee."""
        if name not in self.tenants:
            self._let_in(Tenant(name=name))
        return self.tenants[name]

    def submit(self, job: Job, order: float) -> Claim:
        """Let a job wait; `order` is the policy's place for it within its tenant's queue.

        Raises:
            InvalidInput: its name is taken.
        """
        if job.id in self.claims:
            raise InvalidInput(f"job {job.id!r} was submitted already; give each its own id")
        claim = Claim(
            job, self.tenants.get(job.tenant) or self.tenant(job.tenant), self._num_claims, self.now_s
        )
        self._num_claims += 1
        self.claims[job.id] = claim
        self._enqueue(claim, order)
        return claim

    def _enqueue(self, claim: Claim, order: float) -> None:
        self.num_waiting += 1
        queue = claim.tenant.queues.get(claim.job.priority)
        if queue is None:
            claim.tenant.queues[claim.job.priority] = [(order, claim.number, claim)]
            self.queuing[claim.job.tenant] = claim.tenant
        else:
            heappush(queue, (order, claim.number, claim))

    def is_head(self, claim: Claim) -> bool:
        """Tell whether a waiting job is the next of its queue."""
        return claim.tenant.queues[claim.job.priority][0][2] is claim

    def start(self, claim: Claim, pool: PoolState, shares: Sequence[Share], *, is_by_right: bool) -> None:
        """Run the head of a queue on GPUs that are free; on a hot spare also who is behind."""
        job, queues = claim.job, claim.tenant.queues
        queue = queues[job.priority]
        if queue[0][2] is claim:
            heappop(queue)
        elif job.id in self.orphans:
            queue[:] = [entry for entry in queue if entry[2] is not claim]
            heapify(queue)
        else:
            raise InvalidInput(f"job {job.id!r} is not the head of its queue")
        if self.orphans:
            self.orphans.pop(job.id, None)
        if pool.spares:
            for node, _ in shares:
                if node in pool.spares:
                    pool.spares.remove(node)
                    pool.nodes.restore(node)
        if not queue:
            del queues[job.priority]
            if not queues:
                del self.queuing[job.tenant]
        self.num_waiting -= 1
        claim.waited_s += self.now_s - claim.waiting_since_s
        claim.started_s = claim.since_s = self.now_s
        claim.delay_s = job.restart_s if claim.num_starts else 0.0
        claim.num_starts += 1
        self._seat(claim, pool, shares, is_by_right)

    def adopt(self, job: Job, pool: PoolState, shares: Sequence[Share], like: Claim) -> Claim:
        """Take in a job that runs already, with the history of another claim."""
        claim = Claim(job, self.tenant(job.tenant), self._num_claims, like.waiting_since_s)
        self._num_claims += 1
        for field in (
            "done_s", "started_s", "num_starts", "num_preempted", "num_failures", "waited_s", "lost_s",
            "delay_s", "kept_s",
        ):  # fmt: skip
            setattr(claim, field, getattr(like, field))
        claim.since_s = like.since_s or like.started_s
        self.claims[job.id] = claim
        self._seat(claim, pool, shares, like.is_by_right)
        if 0 < like.kw_per_gpu < pool.kw_per_gpu:
            pool.draw(claim.gpus * (like.kw_per_gpu - pool.kw_per_gpu), self.now_s)
            claim.kw_per_gpu, claim.rate = like.kw_per_gpu, like.rate
            self.reduced[job.id] = claim
        return claim

    def _seat(self, claim: Claim, pool: PoolState, shares: Sequence[Share], is_by_right: bool) -> None:
        pool.nodes.give(shares, -1)
        pool.seat(claim, shares)
        job = claim.job
        gpus = job.gpus
        if job.min_gpus and (gpus := sum(num for _, num in shares)) < job.gpus:
            claim.rate = gpus / job.gpus
            self.reduced[job.id] = claim
        claim.pool = pool
        claim.shares = shares
        claim.gpus = gpus
        claim.is_by_right = is_by_right
        claim.kw_per_gpu = pool.kw_per_gpu
        claim.version += 1
        if pool.site is not None:
            pool.site.draw(gpus * pool.kw_per_gpu, self.now_s)
        claim.tenant.hold(gpus, self.now_s)
        self._hold(claim)

    def _hold(self, claim: Claim) -> None:
        job = claim.job
        if claim.is_by_right:
            claim.tenant.right_gpus += claim.gpus
        else:
            claim.tenant.borrowed[job.id] = claim
        if not job.is_preemptible:
            self.fixed[job.id] = claim
            return
        rank = (claim.is_by_right, job.priority)
        held = self.running.get(rank)
        if held is None:
            held = self.running[rank] = {}
        held[job.id] = claim
        if self.weigh is not None:
            claim.weight = self.weigh(claim)
            insort(self._weighed.setdefault(rank, []), (claim.weight, claim.number, claim))

    def _let_go(self, claim: Claim) -> None:
        job = claim.job
        if claim.is_by_right:
            claim.tenant.right_gpus -= claim.gpus
        else:
            del claim.tenant.borrowed[job.id]
        if not job.is_preemptible:
            del self.fixed[job.id]
            return
        rank = (claim.is_by_right, job.priority)
        del self.running[rank][job.id]
        if self.weigh is not None:
            weighed = self._weighed[rank]
            del weighed[bisect_left(weighed, (claim.weight, claim.number))]

    def weakest_of(self, rank: Rank, weigh: Callable[[Claim], float] | None) -> Iterable[Claim]:
        """Return who of a rank leaves first: the youngest, or by `weigh` the heaviest."""
        if weigh is None:
            return reversed(self.running[rank].values())
        if self.weigh is not None:
            return (claim for _, _, claim in reversed(self._weighed.get(rank, ())))
        held = self.running[rank].values()
        return sorted(held, key=lambda claim: (weigh(claim), claim.number), reverse=True)

    def _free(self, claim: Claim) -> None:
        pool = claim.pool
        if pool is None:
            raise InvalidInput(f"job {claim.job.id!r} does not run")
        pool.nodes.give(claim.shares)
        pool.leave(claim, self.now_s)
        if pool.site is not None:
            pool.site.draw(-claim.gpus * claim.kw_per_gpu, self.now_s)
        self._let_go(claim)
        claim.tenant.hold(-claim.gpus, self.now_s)
        claim.pool = None
        claim.shares = ()
        claim.gpus = 0
        claim.kept_s = 0.0
        claim.rate = 1.0
        if self.reduced:
            self.reduced.pop(claim.job.id, None)
        claim.version += 1
        if claim.is_by_right and claim.tenant.borrowed:
            self._promote(claim.tenant)

    def _promote(self, tenant: TenantState) -> None:
        """Make the oldest borrowed holds rights where the guarantee has room again."""
        for claim in list(tenant.borrowed.values()):
            if tenant.right_gpus + claim.gpus > tenant.guaranteed_gpus:
                return
            self._let_go(claim)
            claim.is_by_right = True
            self._hold(claim)
            assert claim.pool is not None
            claim.pool.note(claim)

    def finish(self, claim: Claim) -> None:
        """End a running job that is done."""
        claim.done_s = claim.job.run_s
        self._free(claim)
        claim.finished_s = self.now_s
        del self.claims[claim.job.id]

    def preempt(self, claim: Claim, order: float) -> None:
        """Let a running job save all that it did, and wait again."""
        claim.done_s += claim.worked_s(self.now_s)
        claim.num_preempted += 1
        self._requeue(claim, order)

    def fail(self, claim: Claim, place_of: Callable[[Claim], float]) -> None:
        """Stop a running job whose node died: what it did since its last checkpoint is lost."""
        worked_s = claim.worked_s(self.now_s)
        interval_s = claim.job.checkpoint_s * claim.rate
        safe_s = worked_s // interval_s * interval_s if interval_s else 0.0
        claim.done_s += safe_s
        claim.lost_s += worked_s - safe_s
        claim.num_failures += 1
        self._requeue(claim, place_of(claim))

    def _requeue(self, claim: Claim, order: float) -> None:
        self._free(claim)
        claim.waiting_since_s = self.now_s
        self._enqueue(claim, order)

    def resize(self, claim: Claim, shares: Sequence[Share]) -> None:
        """Let a running elastic job save, and go on with other GPUs of its pool after a restart."""
        pool = claim.pool
        assert pool is not None
        claim.done_s += claim.worked_s(self.now_s)
        by_right, kw_per_gpu, started_s = claim.is_by_right, claim.kw_per_gpu, claim.started_s
        self._free(claim)
        claim.since_s, claim.delay_s, claim.started_s = self.now_s, claim.job.restart_s, started_s
        gpus = sum(num for _, num in shares)
        by_right = by_right and claim.tenant.right_gpus + gpus <= claim.tenant.guaranteed_gpus
        self._seat(claim, pool, shares, by_right)
        if kw_per_gpu < pool.kw_per_gpu:
            self.cap(claim, kw_per_gpu + pool.pool.idle_kw_per_gpu)

    def cap(self, claim: Claim, kw_per_gpu: float) -> None:
        """Limit what each GPU of a running job draws, and with it the job's speed."""
        pool = claim.pool
        assert pool is not None
        above_kw = kw_per_gpu - pool.pool.idle_kw_per_gpu
        pool.draw(claim.gpus * (above_kw - claim.kw_per_gpu), self.now_s)
        claim.kw_per_gpu = above_kw
        claim.go_at(claim.gpus / claim.job.gpus * clock_at(pool.pool, above_kw), self.now_s)
        if claim.rate < 1:
            self.reduced[claim.job.id] = claim
        else:
            self.reduced.pop(claim.job.id, None)

    def break_node(self, pool: PoolState, node: int, place_of: Callable[[Claim], float]) -> list[Claim]:
        """Take a node that failed out, and return who ran on it; they wait, or go on on a hot spare."""
        failed = list(pool.on_node.get(node, ()))
        for claim in failed:
            held = dict(claim.shares)
            self.fail(claim, place_of)
            if pool.spares:
                gpus = held.pop(node)
                self.orphans[claim.job.id] = Orphan(pool, tuple(held.items()), gpus, self.now_s)
                self.has_news = True
        pool.nodes.remove(node)
        pool.idle_since_s.pop(node, None)
        pool.failures.append(Observation(at_s=self.now_s, node=str(node), kind="node_fail"))
        return failed

    def receive(self) -> None:
        """Take in what was told of deliveries, and let in what is switched on now."""
        assert self.supply is not None
        self.supply.learn(self.now_s)
        for handing in self.supply.arrived(self.now_s):
            name = self.supply.pool_of(handing.goes_to)
            pool = self.pools[name] if name else self.own_pools[0]
            self.add_nodes(pool, handing.gpus // pool.pool.gpus_per_node)
            self.tenant(handing.goes_to).guaranteed_gpus += handing.gpus

    def count_up(self) -> None:
        """Bring all sums over time up to now."""
        for tenant in self.tenants.values():
            tenant.hold(0, self.now_s)
        for pool in self.pools.values():
            self._count_nodes(pool, 0)
        for site in self.sites.values():
            site.draw(0.0, self.now_s)
