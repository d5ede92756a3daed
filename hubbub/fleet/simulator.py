"""Replays jobs on a fleet, event by event, with the policy that also decides live; it draws no picture.

Integrals (GPU-seconds, kW-seconds) are added up at events, never sampled. Failures are drawn for a whole
pool at once (exponential, rate = nodes / mean time to failure), then the node: the same law as node by node.
A node that is not there (down, not rented) fails without effect.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Any

import msgspec

from hubbub.errors import InvalidInput
from hubbub.fleet.actions import Action, Preempt, Release, Rent, Start
from hubbub.fleet.jobs import Job
from hubbub.fleet.policy import Policy, decide
from hubbub.fleet.spec import FleetSpec
from hubbub.fleet.state import Claim, FleetState, PoolState

_DAY_S = 86_400.0
_ARRIVES, _ENDS, _NODE_FAILS, _NODE_IS_BACK, _POWER, _RENTED, _MAY_GO = range(7)


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
    for job in jobs:
        if not any(job.gpus <= pool.num_nodes * pool.gpus_per_node for pool in spec.pools):
            raise InvalidInput(
                f"job {job.id!r} of tenant {job.tenant!r} asks for {job.gpus} GPUs; the largest pool has "
                f"{max(pool.num_nodes * pool.gpus_per_node for pool in spec.pools)}"
            )
    replay = _Replay(state or FleetState(spec), policy or Policy(), seed, look, look_every_s, watch)
    return replay.run(jobs, until_s)


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
        self._events: list[tuple[float, int, int, Any]] = []
        self._num_pushed = 0
        self._num_awaited = 0
        """Events to come that are no failures: without them, what waits now waits for ever."""
        self._look, self._look_every_s, self._next_look_s = look, look_every_s, 0.0
        self._watch = watch
        self._deal: dict[int, Callable[[Any], None]] = {
            _ENDS: self._end,
            _NODE_FAILS: self._fail_node,
            _NODE_IS_BACK: self._restore,
            _POWER: self._change_power,
            _RENTED: self._receive,
            _MAY_GO: self._look_again,
        }

    def run(self, jobs: Sequence[Job], until_s: float | None) -> Simulation:
        arrivals = sorted(jobs, key=lambda job: job.submit_s)
        arrivals.reverse()
        state, result, policy, events = self.state, self.result, self.policy, self._events
        self._foresee()
        num_open = len(arrivals) + len(state.claims)
        while num_open:
            at_s = min(
                events[0][0] if events else float("inf"), arrivals[-1].submit_s if arrivals else float("inf")
            )
            if not (arrivals or self._num_awaited):
                break
            if until_s is not None and at_s > until_s:
                state.now_s = until_s
                break
            state.now_s = at_s
            while events and events[0][0] == at_s:
                _, kind, _, what = heappop(events)
                self._num_awaited -= kind != _NODE_FAILS
                self._deal[kind](what)
            while arrivals and arrivals[-1].submit_s == at_s:
                job = arrivals.pop()
                state.submit(job, policy.place_of(job, at_s))
            self._decide()
            num_open = len(arrivals) + len(state.claims)
        self._sum_up()
        return result

    def _foresee(self) -> None:
        """Note what is known to come: failures, grid events, the ends of what runs already.

        When a rented node was ordered or one went down is not known: the whole time is taken to lie ahead.
        """
        state = self.state
        for pool in state.pools.values():
            self._schedule_failure(pool)
            if pool.num_ordered:
                self._push(state.now_s + pool.pool.lead_s, _RENTED, (pool, pool.num_ordered))
            for node in set(filter(pool.nodes.is_out, range(len(pool.nodes.free)))) - set(pool.given_back):
                self._push(state.now_s + pool.pool.repair_s, _NODE_IS_BACK, (pool, node))
        for event in state.spec.grid_events:
            for at_s in (event.start_s, event.start_s + event.duration_s):
                self._push(max(at_s, state.now_s), _POWER, None)
        for claim in state.claims.values():
            if claim.pool is not None:
                self._push(max(claim.ends_s(), state.now_s), _ENDS, (claim, claim.version))
        if state.claims:
            self._push(state.now_s, _MAY_GO, None)

    def _push(self, at_s: float, kind: int, what: object) -> None:
        self._num_pushed += 1
        self._num_awaited += kind != _NODE_FAILS
        heappush(self._events, (at_s, kind, self._num_pushed, what))

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
        state, result = self.state, self.result
        while actions := decide(state, self.policy):
            for action in actions:
                if self._watch is not None:
                    self._watch(state, action)
                self._carry_out(action)
        for site in state.sites.values():
            result.over_cap_kw = max(result.over_cap_kw, site.drawn_kw - site.cap_kw - 1e-6)
        if self._look is not None and state.now_s >= self._next_look_s:
            self._next_look_s = state.now_s + self._look_every_s
            self._look(state)

    def _carry_out(self, action: Action) -> None:
        state = self.state
        if isinstance(action, Start):
            claim, pool = state.claims[action.job], state.pools[action.pool]
            state.start(claim, pool, action.shares, is_by_right=action.is_by_right)
            self._push(claim.ends_s(), _ENDS, (claim, claim.version))
        elif isinstance(action, Preempt):
            claim = state.claims[action.job]
            self.result.num_preemptions += 1
            left = claim.pool
            state.preempt(claim, self.policy.place_of(claim.job, state.now_s))
            self._look_later(left)
        elif isinstance(action, Rent):
            pool = state.pools[action.pool]
            pool.num_ordered += action.num_nodes
            self._push(state.now_s + pool.pool.lead_s, _RENTED, (pool, action.num_nodes))
        elif isinstance(action, Release):
            state.remove_nodes(state.pools[action.pool], action.nodes)

    def _end(self, what: tuple[Claim, int]) -> None:
        claim, version = what
        if claim.version == version:
            pool = claim.pool
            self.state.finish(claim)
            self._look_later(pool)
            self.result.finished.append(claim)

    def _look_later(self, pool: PoolState | None) -> None:
        if pool is not None and pool.pool.is_rented:
            self._push(self.state.now_s + pool.pool.idle_release_s, _MAY_GO, None)

    def _schedule_failure(self, pool: PoolState) -> None:
        if pool.pool.mttf_node_days:
            rate = pool.pool.num_nodes / (pool.pool.mttf_node_days * _DAY_S)
            self._push(self.state.now_s + self._draw.expovariate(rate), _NODE_FAILS, pool)

    def _fail_node(self, pool: PoolState) -> None:
        node = self._draw.randrange(pool.pool.num_nodes)
        if node < len(pool.nodes.free) and not pool.nodes.is_out(node):
            for claim in self.state.claims_on(pool, node):
                self.result.num_failures += 1
                self.state.fail(claim, self.policy.place_of(claim.job, self.state.now_s))
            pool.nodes.remove(node)
            pool.idle_since_s.pop(node, None)
            self._push(self.state.now_s + pool.pool.repair_s, _NODE_IS_BACK, (pool, node))
        self._schedule_failure(pool)

    def _restore(self, what: tuple[PoolState, int]) -> None:
        pool, node = what
        pool.nodes.restore(node)
        if pool.pool.is_rented:
            pool.idle_since_s[node] = self.state.now_s
            self._look_later(pool)

    def _change_power(self, what: None) -> None:
        self.state.apply_cap(self.state.spec.grid_events)

    def _receive(self, what: tuple[PoolState, int]) -> None:
        pool, num_nodes = what
        pool.num_ordered -= num_nodes
        self.state.add_nodes(pool, num_nodes)
        self._look_later(pool)

    def _look_again(self, what: None) -> None:
        """Nothing changed but the time: rented nodes may go back."""
