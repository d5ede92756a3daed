"""Tokens by date while a cluster grows: when each plan of a scenario is done, and what it has cost by then.

The speed of a step comes in as a function of the number of GPUs. Changing the number of GPUs is taken to
cost nothing (a restart is minutes), and rented GPUs that the run has left are given back unless a term binds.
"""

from __future__ import annotations

import datetime as dt
import math

import msgspec

from hubbub.plan.estimate import Estimate, exact, product, within
from hubbub.plan.ledger import DAYS_PER_YEAR, Ledger, Stay
from hubbub.plan.power import carbon_kg
from hubbub.plan.scenario import BuildPlan, Scenario
from hubbub.plan.site import Site, State
from hubbub.plan.tables import figure
from hubbub.plan.throughput import SpeedOf

HORIZON_DAYS = 30 * DAYS_PER_YEAR
_MARKS = 24


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """Where a plan stands at a date, and the state that it was in until then."""

    date: dt.date
    day: float
    state: State
    tokens: float
    run_usd: float
    cash_usd: float
    energy_mwh: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """When a plan is done and what it has cost by then; no `done` means not within thirty years."""

    plan: str
    done: dt.date | None
    done_early: dt.date | None
    done_late: dt.date | None
    days: Estimate
    run_usd: Estimate
    cash_usd: Estimate
    energy_mwh: Estimate
    carbon_t: Estimate
    goodput: Estimate
    mttf_h: Estimate
    spare_servers: int
    meets_deadline: bool | None
    curve: tuple[Point, ...]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All plans of a scenario, the earliest and the cheapest of those that end."""

    scenario: str
    tokens: float
    outcomes: tuple[Outcome, ...]
    earliest: str | None
    cheapest: str | None


def compare(scenario: Scenario, speed_of: SpeedOf, num_params: float) -> Comparison:
    """Follow every plan of a scenario until its tokens are trained.

    Raises:
        InvalidInput: a region, GPU, rate or price is unknown.
    """
    outcomes = tuple(follow(scenario, plan, speed_of, num_params) for plan in scenario.plans)
    ended = [each for each in outcomes if each.done]
    return Comparison(
        scenario=scenario.name,
        tokens=scenario.tokens,
        outcomes=outcomes,
        earliest=min(ended, key=lambda o: o.days.mid).plan if ended else None,
        cheapest=min(ended, key=lambda o: o.run_usd.mid).plan if ended else None,
    )


def follow(scenario: Scenario, plan: BuildPlan, speed_of: SpeedOf, num_params: float) -> Outcome:
    """Follow one plan; its bands take speed, failures and clocks together, then prices."""
    site = Site(scenario, plan, speed_of, num_params)
    ledger = Ledger(site)
    slow, mid, fast = (stays_until_done(site, scenario.tokens, level) for level in ("low", "mid", "high"))
    bills = [ledger.bill(stays, is_final=True) for stays in (fast, mid, slow)]
    rung = site.throughput.nearest(max((stay.state.running_gpus for stay in mid), default=0))
    energy = product(
        _by_time(exact(bills[1].energy_mwh), bills[0].energy_mwh, bills[2].energy_mwh),
        within(1.0, figure("power.spread")),
    )
    days = Estimate(low=_end(fast), mid=_end(mid), high=_end(slow))
    done = _date(site, days.mid)
    return Outcome(
        plan=plan.name,
        done=done,
        done_early=_date(site, days.low),
        done_late=_date(site, days.high),
        days=days,
        run_usd=_by_time(bills[1].run_usd, bills[0].run_usd.mid, bills[2].run_usd.mid),
        cash_usd=_by_time(bills[1].cash_usd, bills[0].cash_usd.mid, bills[2].cash_usd.mid),
        energy_mwh=energy,
        carbon_t=carbon_kg(energy, site.region.carbon),
        goodput=rung.goodput.goodput,
        mttf_h=rung.goodput.mttf_h,
        spare_servers=rung.goodput.spare_servers,
        meets_deadline=bool(done and done <= scenario.deadline) if scenario.deadline else None,
        curve=_curve(site, ledger, mid, scenario.tokens),
    )


def stays_until_done(site: Site, num_tokens: float, level: str = "mid") -> list[Stay]:
    """Return the run's stays from the start until its last token, at a level of the band.

    Where the tokens do not end within thirty years, the last stay ends there.
    """
    left, stays = num_tokens, []
    for start, end in zip(site.events, [*site.events[1:], math.inf], strict=True):
        state = site.state(start)
        rate = getattr(state.tokens_per_day, level)
        need = left / rate if rate > 0 else math.inf
        stop = min(start + need, end, HORIZON_DAYS)
        stays.append(Stay(from_day=start, until_day=stop, state=state))
        left -= rate * (stop - start)
        if start + need <= end or stop >= HORIZON_DAYS:
            break
    return stays


def _curve(site: Site, ledger: Ledger, stays: list[Stay], num_tokens: float) -> tuple[Point, ...]:
    """Return points at the ends of stays and evenly between."""
    end = _end(stays)
    evenly = {end * n / _MARKS for n in range(_MARKS)}
    marks = sorted({stay.until_day for stay in stays} | {day for day in evenly if day < end})
    points = []
    for day in marks:
        so_far = [_cut(stay, day) for stay in stays if stay.from_day < day or day == 0 == stay.from_day]
        tokens = sum(s.state.tokens_per_day.mid * (s.until_day - s.from_day) for s in so_far)
        bill = ledger.bill(so_far, is_final=day == end)
        points.append(
            Point(
                date=site.date(day),
                day=day,
                state=so_far[-1].state,
                tokens=min(tokens, num_tokens),
                run_usd=bill.run_usd.mid,
                cash_usd=bill.cash_usd.mid,
                energy_mwh=bill.energy_mwh,
            )
        )
    return tuple(points)


def _cut(stay: Stay, day: float) -> Stay:
    return msgspec.structs.replace(stay, until_day=min(stay.until_day, day))


def _end(stays: list[Stay]) -> float:
    return stays[-1].until_day


def _date(site: Site, day: float) -> dt.date | None:
    return site.date(day) if day < HORIZON_DAYS else None


def _by_time(mid: Estimate, fast: float, slow: float) -> Estimate:
    """Widen a figure's band by how far a fast and a slow run move it."""
    early, late = sorted((fast, slow))
    down = math.hypot(mid.mid - mid.low, max(0.0, mid.mid - early))
    up = math.hypot(mid.high - mid.mid, max(0.0, late - mid.mid))
    return Estimate(low=max(0.0, mid.mid - down), mid=mid.mid, high=mid.mid + up)
