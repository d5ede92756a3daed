"""Replays jobs on a fleet, event by event, with the policy that also decides live; it draws no picture.

Integrals (GPU-seconds, kW-seconds) are added up at events, never sampled. Failures are drawn for a whole
pool at once (exponential, rate = nodes / mean time to failure), then the node: the same law as node by node.
A node that is not there (down, not rented) fails without effect.
"""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from heapq import heappop
from typing import Any

import msgspec

from hubbub.errors import InvalidInput
from hubbub.fleet.actions import Action, Drain, Preempt, Rent, Start
from hubbub.fleet.carrying import Repeats, carry_out
from hubbub.fleet.events import DELIVERED, ENDS, MAY_GO, NODE_FAILS, NODE_IS_BACK, POWER, RENTED, Events
from hubbub.fleet.jobs import Job
from hubbub.fleet.lending import told_of
from hubbub.fleet.policy import Policy, decide
from hubbub.fleet.power import SLACK_KW
from hubbub.fleet.spec import FleetSpec, Pool
from hubbub.fleet.state import Claim, FleetState, PoolState
from hubbub.fleet.supply import Supply

_DAY_S = 86_400.0
_ROUNDS = 64
"""Decisions at one moment that are not looked at yet: a fleet that starts up makes as many as it has jobs."""


class Simulation(msgspec.Struct, kw_only=True):
    """What came of a replay."""

    finished: list[Claim] = []
    unfinished: list[Claim] = []
    num_preemptions: int = 0
    num_failures: int = 0
    end_s: float = 0.0
    gpu_s: dict[str, float] = {}
    """GPU-seconds held, by tenant."""
    spent_usd: float = 0.0
    energy_kws: float = 0.0
    over_cap_kw: float = 0.0
    """The most by which any site was above its cap after an event was dealt with; must be 0."""


def simulate(
    spec: FleetSpec,
    jobs: Sequence[Job],
    policy: Policy | None = None,
    *,
    seed: int = 1,
    until_s: float | None = None,
    look: Callable[[FleetState], None] | None = None,
    look_every_s: float = 0.0,
    watch: Callable[[FleetState, Action], None] | None = None,
    state: FleetState | None = None,
) -> Simulation:
    """Replay jobs (in any order) to the end, or until a time; from a state on, if one is given.

    `look` is shown the state after the first event of each interval of `look_every_s`, and at the end;
    `watch` is called with every action before it is carried out.

    Raises:
        InvalidInput: a job asks for more than any pool ever has; it is named.
    """
    state = state or FleetState(spec)
    policy = policy or Policy()
    if spec.deliveries and spec.begins and state.supply is None:
        state.expect(Supply(spec.deliveries, spec.begins))
    state.has_news = state.has_news or policy.drains
    if policy.order == "fairshare" and not state.half_life_s:
        state.keep_usage()
    if policy.weigher and not state.claims:
        state.weigh = policy.weigher
    refuse_what_never_fits(spec, jobs)
    replay = _Replay(state, policy, seed, look, look_every_s, watch)
    with _without_garbage_collection():
        return replay.run(jobs, until_s)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Look for no garbage while millions of objects are made that all stay: a fifth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def refuse_what_never_fits(spec: FleetSpec, jobs: Sequence[Job]) -> None:
    """Raise InvalidInput for the first job that is larger than all pools ever are."""
    most = {pool.name: (pool.num_nodes - pool.num_spares) * pool.gpus_per_node for pool in spec.pools}
    if spec.deliveries is not None:
        gpus = sum(shipment.gpus for shipment in spec.deliveries.shipments)
        most = {name: size + gpus for name, size in most.items()}
    largest = max(most.values())
    for job in jobs:
        if (job.min_gpus or job.gpus) > largest:
            raise InvalidInput(
                f"job {job.id!r} of tenant {job.tenant!r} asks for {job.gpus} GPUs; the largest pool has "
                f"{largest}"
            )


def _lemons_of(pool: Pool, seed: int) -> list[int]:
    """Choose which nodes fail more often; the same for one seed, whatever else is drawn."""
    return random.Random(seed).sample(range(pool.num_nodes), round(pool.lemon_share * pool.num_nodes))


class _Replay:
    def __init__(
        self,
        state: FleetState,
        policy: Policy,
        seed: int,
        look: Callable[[FleetState], None] | None,
        look_every_s: float,
        watch: Callable[[FleetState, Action], None] | None,
    ) -> None:
        self.state, self.policy, self.result = state, policy, Simulation()
        self._draw = random.Random(seed)
        self._lemons = {name: _lemons_of(pool.pool, seed) for name, pool in state.pools.items()}
        self._events = Events()
        self._look, self._look_every_s, self._next_look_s = look, look_every_s, 0.0
        self._push, self._watch = self._events.push, watch
        self._deal: dict[int, Callable[[Any], None]] = {
            NODE_FAILS: self._fail_node,
            NODE_IS_BACK: self._restore,
            POWER: self._change_power,
            RENTED: self._receive,
            MAY_GO: self._look_again,
            DELIVERED: self._deliver,
        }

    def run(self, jobs: Sequence[Job], until_s: float | None) -> Simulation:
        state, policy, events, look = self.state, self.policy, self._events, self._look
        arrivals = sorted(jobs, key=lambda job: job.submit_s)
        arrivals.reverse()
        events.spread_over(arrivals)
        self._foresee()
        last_s = math.inf if until_s is None else until_s
        turns_end = policy.order == "las"  # and then time alone may let the head of a queue start
        near, submit, place_of = events.near, state.submit, policy.place_of
        while arrivals or (state.claims and events.num_awaited()):
            if not near:
                events.draw_near()
            at_s = near[0][0] if near else math.inf
            if arrivals and arrivals[-1].submit_s < at_s:
                at_s = arrivals[-1].submit_s
            if at_s > last_s:
                state.now_s = last_s
                break
            state.now_s = at_s
            is_changed = self._happens(at_s) if near and near[0][0] == at_s else False
            while arrivals and arrivals[-1].submit_s == at_s:
                job = arrivals.pop()
                claim = submit(job, place_of(job, at_s))
                is_changed = is_changed or turns_end or state.is_head(claim)
            if is_changed:  # neither an end where nobody waits nor who comes behind its queue's head is
                self._decide()
            if look is not None and at_s >= self._next_look_s:
                self._next_look_s = at_s + self._look_every_s
                look(state)
        self._sum_up()
        return self.result

    def _happens(self, at_s: float) -> bool:
        """Deal with all events of this moment; return whether there may be something to decide."""
        state, events, near, is_changed = self.state, self._events, self._events.near, False
        while near and near[0][0] == at_s:
            _, kind, _, what, version = heappop(near)
            if kind != ENDS:
                events.num_failures -= kind == NODE_FAILS
                self._deal[kind](what)
                is_changed = True
            elif what.version == version:
                pool = what.pool
                state.finish(what)
                self.result.finished.append(what)
                if state.rents:
                    self._look_later(pool)
        return is_changed or state.num_waiting > 0 or not state.is_quiet

    def _foresee(self) -> None:
        """Note what is known to come: failures, grid events, the ends of what runs already.

        When a rented node was ordered or one went down is not known: the whole time is taken to lie ahead.
        """
        state = self.state
        for pool in state.pools.values():
            self._schedule_failure(pool)
            if pool.num_ordered:
                self._push(state.now_s + pool.pool.lead_s, RENTED, (pool, pool.num_ordered))
            out = set(filter(pool.nodes.is_out, range(len(pool.nodes.free))))
            for node in sorted(out - set(pool.given_back) - set(pool.spares)):
                back_s = pool.drained.get(node, state.now_s + pool.pool.repair_s)
                self._push(max(back_s, state.now_s), NODE_IS_BACK, (pool, node))
        for event in state.spec.grid_events:
            for at_s in (event.start_s - event.notice_s, event.start_s + event.duration_s):
                self._push(max(at_s, state.now_s), POWER, None)
        for at_s in state.supply.dates_s() if state.supply is not None else ():
            self._push(max(at_s, state.now_s), DELIVERED, None)
        for claim in state.claims.values():
            if claim.pool is not None:
                self._push(max(claim.ends_s(), state.now_s), ENDS, claim, claim.version)
        if state.claims:
            self._push(state.now_s, MAY_GO, None)

    def _sum_up(self) -> None:
        """Collect what the state added up."""
        state, result = self.state, self.result
        state.count_up()
        result.end_s = state.now_s
        if self._look is not None:
            self._look(state)
        result.unfinished = list(state.claims.values())
        result.gpu_s = {name: tenant.held_gpu_s for name, tenant in state.tenants.items()}
        result.energy_kws = sum(site.drawn_kws for site in state.sites.values())
        for pool in state.pools.values():
            if pool.pool.is_rented:
                gpu_hours = pool.active_node_s * pool.pool.gpus_per_node / 3600
                result.spent_usd += gpu_hours * pool.pool.usd_per_gpu_hour

    def _decide(self) -> None:
        state, result, policy, watch = self.state, self.result, self.policy, self._watch
        num_rounds, repeats = 0, None
        while actions := decide(state, policy):
            num_rounds += 1
            if num_rounds > _ROUNDS:
                repeats = repeats or Repeats(state)
                repeats.note(state, actions)
            for action in actions:
                if watch is not None:
                    for told in (*told_of(state, action), action):
                        watch(state, told)
                self._carry_out(action)
            if not state.num_waiting and state.is_quiet:
                break
        for site in state.sites.values():
            if site.drawn_kw - site.cap_kw - SLACK_KW > result.over_cap_kw:
                result.over_cap_kw = site.drawn_kw - site.cap_kw - SLACK_KW

    def _carry_out(self, action: Action) -> None:
        state = self.state
        if type(action) is Start:  # the usual case, without looking further
            claim = state.claims[action.job]
            state.start(claim, state.pools[action.pool], action.shares, is_by_right=action.is_by_right)
            self._push(claim.ends_s(), ENDS, claim, claim.version)
            return
        if isinstance(action, Preempt):
            self.result.num_preemptions += 1
            self._look_later(state.claims[action.job].pool)
        changed = carry_out(state, action, self.policy)
        if changed is not None and changed.pool is not None:
            self._push(changed.ends_s(), ENDS, changed, changed.version)
        elif isinstance(action, Drain):
            pool = state.pools[action.pool]
            self._push(pool.drained[action.node], NODE_IS_BACK, (pool, action.node))
        elif isinstance(action, Rent):
            pool = state.pools[action.pool]
            self._push(state.now_s + pool.pool.lead_s, RENTED, (pool, action.num_nodes))

    def _look_later(self, pool: PoolState | None) -> None:
        if pool is not None and pool.pool.is_rented:
            self._push(self.state.now_s + pool.pool.idle_release_s, MAY_GO, None)

    def _schedule_failure(self, pool: PoolState) -> None:
        if pool.pool.mttf_node_days:
            lemons = self._lemons[pool.pool.name]
            weight = pool.pool.num_nodes + len(lemons) * (pool.pool.lemon_factor - 1)
            rate = weight / (pool.pool.mttf_node_days * _DAY_S)
            self._push(self.state.now_s + self._draw.expovariate(rate), NODE_FAILS, pool)

    def _draw_node(self, pool: PoolState) -> int:
        """Draw which node fails: as if a lemon stood in the pool as often as it fails oftener."""
        lemons = self._lemons[pool.pool.name]
        if lemons:
            extra = len(lemons) * (pool.pool.lemon_factor - 1)
            if self._draw.random() * (pool.pool.num_nodes + extra) < extra:
                return self._draw.choice(lemons)
        return self._draw.randrange(pool.pool.num_nodes)

    def _fail_node(self, pool: PoolState) -> None:
        state = self.state
        node = self._draw_node(pool)
        if node < len(pool.nodes.free) and not pool.nodes.is_out(node):

            def place_of(claim: Claim) -> float:
                return self.policy.place_of(claim.job, state.now_s, claim.done_s)

            self.result.num_failures += len(state.break_node(pool, node, place_of))
            self._push(state.now_s + pool.pool.repair_s, NODE_IS_BACK, (pool, node))
        self._schedule_failure(pool)

    def _restore(self, what: tuple[PoolState, int]) -> None:
        pool, node = what
        if self.state.now_s < pool.drained.get(node, -math.inf):
            return  # repaired, but drained: it comes back mended
        if node in pool.drained and node in self._lemons[pool.pool.name]:
            self._lemons[pool.pool.name].remove(node)
        self.state.mend_node(pool, node)
        self._look_later(pool)

    def _change_power(self, what: None) -> None:
        self.state.apply_cap(self.state.spec.grid_events)

    def _receive(self, what: tuple[PoolState, int]) -> None:
        pool, num_nodes = what
        pool.num_ordered -= num_nodes
        self.state.add_nodes(pool, num_nodes)
        self._look_later(pool)

    def _deliver(self, what: None) -> None:
        supply = self.state.supply
        assert supply is not None
        known_s = set(supply.dates_s())
        self.state.receive()
        for at_s in set(supply.dates_s()) - known_s:
            self._push(max(at_s, self.state.now_s), DELIVERED, None)

    def _look_again(self, what: None) -> None:
        """Nothing changed but the time: rented nodes may go back."""
