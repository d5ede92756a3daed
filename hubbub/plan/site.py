"""What runs at a date: GPUs delivered so far, rented and owned, and the power there is; it adds no tokens up.

A run stands in one place at a time, the faster of what is rented and what is owned.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from hubbub.errors import InvalidInput
from hubbub.plan.cost import find_price
from hubbub.plan.estimate import Estimate, exact, product
from hubbub.plan.failures import FailureModel, published_rate, rate_of
from hubbub.plan.grid import Region, find_region
from hubbub.plan.power import Capped, Draw, draw, find_server, under_cap
from hubbub.plan.scenario import BuildPlan, Phase, PowerSource, Scenario
from hubbub.plan.throughput import SpeedOf, Throughput

NOTHING = exact(0.0)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What holds between two events; `limit` says how power holds back what is owned."""

    where: str
    num_gpus: int
    running_gpus: int
    clock_mhz: float
    mean_mw: float
    limit: str
    tokens_per_day: Estimate


class Site:
    """A plan's deliveries and power, asked by day since the start."""

    def __init__(self, scenario: Scenario, plan: BuildPlan, speed_of: SpeedOf, num_params: float) -> None:
        self.scenario, self.plan = scenario, plan
        self.region: Region = find_region(scenario.region)
        firsts = [each.phases[0].date for each in scenario.plans]  # one start, so that plans compare
        self.start = scenario.start or min(firsts)
        find_server(scenario.gpu)
        for phase in plan.phases:
            _require_price(scenario, phase)
        dates = {phase.date for phase in plan.phases} | {source.date for source in plan.power}
        dates |= {phase.until for phase in plan.phases if phase.until}
        self.events = sorted({0.0, *(self.day(each) for each in dates if each > self.start)})
        rate = published_rate(scenario.rate) if scenario.rate else rate_of(scenario.gpu)
        model = FailureModel(rate=rate, restart_s=scenario.restart_s)
        sizes = {size for day in self.events for size in self._delivered(day) if size}
        self.throughput = Throughput(speed_of, num_params, sizes, model)
        self._known: dict[tuple[float, ...], State] = {}

    def day(self, when: dt.date) -> float:
        """Return the days from the start to a date."""
        return float((when - self.start).days)

    def date(self, day: float) -> dt.date:
        """Return the date of a day; none is after the last that there is."""
        return self.start + dt.timedelta(days=min(day, (dt.date.max - self.start).days))

    def is_active(self, phase: Phase, day: float) -> bool:
        """Tell whether a phase's GPUs are there."""
        return self.day(phase.date) <= day and (phase.until is None or day < self.day(phase.until))

    def state(self, day: float) -> State:
        """Return what runs on a day."""
        rented, owned = self._delivered(day)
        firm, peak = self._power(day)
        key = (rented, owned, firm, peak)
        if key not in self._known:
            there = self._owned(owned, firm, peak)
            here = self._rented(rented)
            is_own = there.tokens_per_day.mid >= here.tokens_per_day.mid and owned > 0
            self._known[key] = there if is_own else here
        return self._known[key]

    def usd_per_kwh(self, day: float) -> Estimate:
        """Return the price of the sources' mix, by megawatts; the region's where a source names none."""
        firm = [s for s in self._sources(day) if s.kind != "battery" and s.mw > 0]
        power = sum(source.mw for source in firm)
        if not power:
            return self.region.price
        share = sum(s.mw for s in firm if s.usd_per_kwh is None) / power
        given = sum(s.mw * s.usd_per_kwh for s in firm if s.usd_per_kwh is not None) / power
        region = self.region.price.scaled(share)
        return Estimate(low=region.low + given, mid=region.mid + given, high=region.high + given)

    def draw(self, num_gpus: int) -> Draw:
        """Return the uncapped draw of that many GPUs."""
        busy = self.scenario.busy_share
        share = self.throughput.nearest(num_gpus).speed.busy_share if busy is None else busy
        return draw(self.scenario.gpu, num_gpus, busy_share=share, pue=self.scenario.pue or self.region.pue)

    def _delivered(self, day: float) -> tuple[int, int]:
        active = [phase for phase in self.plan.phases if self.is_active(phase, day)]
        rented = sum(phase.gpus for phase in active if phase.how == "rent")
        return rented, sum(phase.gpus for phase in active if phase.how == "own")

    def _sources(self, day: float) -> list[PowerSource]:
        return [source for source in self.plan.power if self.day(source.date) <= day]

    def _power(self, day: float) -> tuple[float, float]:
        """Return the firm and the peak megawatts for what is owned."""
        cap = self.plan.power_cap_mw or float("inf")
        if not self.plan.power:
            return cap, cap
        firm = sum(source.mw for source in self._sources(day) if source.kind != "battery")
        peak = sum(source.mw for source in self._sources(day))
        return min(cap, firm), min(cap, peak)

    def _rented(self, num_gpus: int) -> State:
        if not num_gpus:
            return _state("nowhere", 0, None, NOTHING)
        full = self.draw(num_gpus)
        capped = under_cap(full, float("inf"))
        return _state("rent", num_gpus, capped, self.throughput.tokens_per_day(num_gpus))

    def _owned(self, num_gpus: int, firm_mw: float, peak_mw: float) -> State:
        if not num_gpus:
            return _state("nowhere", 0, None, NOTHING)

        def per_day(running: int) -> float:
            return self.throughput.tokens_per_day(running).mid

        capped = under_cap(self.draw(num_gpus), firm_mw, peak_mw, per_day)
        rate = product(self.throughput.tokens_per_day(capped.num_gpus), capped.clock_speed)
        return _state("own", num_gpus, capped, rate)


def _state(where: str, num_gpus: int, capped: Capped | None, rate: Estimate) -> State:
    return State(
        where=where,
        num_gpus=num_gpus,
        running_gpus=capped.num_gpus if capped else 0,
        clock_mhz=capped.clock_mhz if capped else 0.0,
        mean_mw=capped.mean_mw if capped else 0.0,
        limit=capped.way if capped else "none",
        tokens_per_day=rate,
    )


def _require_price(scenario: Scenario, phase: Phase) -> None:
    """Refuse early what has no price."""
    if phase.how == "own" and scenario.own.gpu_usd is None:
        find_price(scenario.gpu, "buy", phase.date)
    if phase.how == "rent" and phase.usd_per_gpu_hour is None:
        find_price(scenario.gpu, "rent", phase.date)
    if scenario.start and phase.until and phase.until <= scenario.start:
        raise InvalidInput(f"until {phase.until} is not after start {scenario.start}; give a later one")
