"""Fleets that stand still as a test left them, behind the protocol of every engine, and a page over one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event

from hubbub.errors import InvalidInput
from hubbub.fleet.actions import Start
from hubbub.fleet.deliveries import DeliveryPlan
from hubbub.fleet.jobs import Job
from hubbub.fleet.launcher import Truth
from hubbub.fleet.page.app import create_page
from hubbub.fleet.page.watch import Watch
from hubbub.fleet.policy import Policy, decide
from hubbub.fleet.spec import FleetSpec
from hubbub.fleet.state import FleetState
from hubbub.web.run import serve_in_thread

NOW_S = 1_795_000_000.0


def job(name: str, tenant: str, gpus: int, **more: object) -> Job:
    told = {"submit_s": NOW_S - 600, "run_s": 3_600.0, "priority": 0} | more
    return Job(id=name, tenant=tenant, gpus=gpus, **told)  # type: ignore[arg-type]


def settled(spec: FleetSpec, jobs: Sequence[Job], now_s: float = NOW_S) -> FleetState:
    """A fleet to which jobs came one by one: each starts if it can without anybody leaving."""
    state = FleetState(spec)
    state.now_s = now_s
    for each in jobs:
        state.submit(each, each.submit_s)
        for action in decide(state, Policy()):
            if isinstance(action, Start):
                claim, pool = state.claims[action.job], state.pools[action.pool]
                state.start(claim, pool, action.shares, is_by_right=action.is_by_right)
    return state


class StillFleet:
    """An engine on which nothing happens but what a test does; it can go away, and come again."""

    url = "still:hall"

    def __init__(self, state: FleetState, **truth: object) -> None:
        self.spec, self.state, self.truth = state.spec, state, truth
        self.is_away = False
        self.answers = Event()
        self.answers.set()
        self.num_looks = 0

    def look(self) -> Truth:
        self.num_looks += 1
        self.answers.wait()
        if self.is_away:
            raise InvalidInput("slurmctld does not answer: <b>connection refused</b>")
        told = {"waiting": {}, "names": {}} | self.truth
        return Truth(state=self.state, **told)  # type: ignore[arg-type]


@contextmanager
def page_of(fleet: StillFleet, plan: DeliveryPlan | None = None) -> Iterator[str]:
    watch = Watch(lambda: fleet, plan=plan, every_s=0.05, patience_s=0.5)  # type: ignore[arg-type, return-value]
    with serve_in_thread(create_page(watch)) as url:
        yield url
