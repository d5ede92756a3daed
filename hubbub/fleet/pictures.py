"""The page of a simulation: GPUs by tenant, power against its cap, who waits; it computes no outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from hubbub.drawing import Axis, Bar, Line, Mark, line_chart, linear_axis, nice_ticks, short, stacked_bars
from hubbub.fleet.outcome import TenantOutcome
from hubbub.fleet.simulator import Moment, Simulation
from hubbub.fleet.spec import FleetSpec
from hubbub.report import Fact, Picture, Report

_DAY_S = 86_400.0


def report_of(spec: FleetSpec, result: Simulation, told: Sequence[TenantOutcome], policy: str) -> Report:
    """Return the page of a simulation that kept moments."""
    num_jobs = sum(each.num_jobs for each in told)
    facts = (
        Fact(name="GPUs owned", value=f"{spec.num_gpus:,}"),
        Fact(name="jobs", value=f"{num_jobs:,}", band=f"{result.end_s / _DAY_S:.1f} days"),
        Fact(name="preemptions", value=f"{result.num_preemptions:,}", band="no work lost by one"),
        Fact(name="failures", value=f"{result.num_failures:,}"),
        Fact(name="rented", value=f"${result.spent_usd:,.0f}"),
        Fact(name="energy", value=f"{result.energy_kws / 3.6e6:,.0f} MWh"),
    )
    pictures = [_held(result, told, spec), _waiting(result), _waits(told)]
    if spec.sites:
        pictures.insert(1, _power(result, spec))
    return Report(
        title="A fleet, replayed",
        lead=f"{num_jobs:,} jobs of {len(told)} tenants under the policy {policy}.",
        facts=facts,
        pictures=tuple(pictures),
    )


def _days(result: Simulation) -> Axis:
    days = result.end_s / _DAY_S
    ticks = [tick for tick in nice_ticks(0, days, 7) if tick <= days]
    return Axis(label="day", low=0, high=days, ticks=tuple((tick, short(tick)) for tick in ticks))


def _line(name: str, result: Simulation, value: Callable[[Moment], float]) -> Line:
    points = tuple((moment.at_s / _DAY_S, value(moment)) for moment in result.moments)
    return Line(name=name, points=points)


def _top(lines: Sequence[Line]) -> list[float]:
    return [0.0, *(y for line in lines for _, y in line.points)]


def _held_by(tenant: str, moment: Moment) -> float:
    return moment.held.get(tenant, 0)


def _held(result: Simulation, told: Sequence[TenantOutcome], spec: FleetSpec) -> Picture:
    names = [each.tenant for each in told[:6]]
    lines = [_line(name, result, partial(_held_by, name)) for name in names]
    return Picture(
        title="GPUs by tenant",
        finding="; ".join(f"{each.tenant} held {each.gpu_hours:,.0f} GPU-hours" for each in told[:6]) + ".",
        svg=line_chart(lines, _days(result), linear_axis("GPUs", [*_top(lines), spec.num_gpus])),
        header=("tenant", "jobs", "GPU-hours", "preempted", "failed", "lost GPU-hours", "ETTR"),
        rows=tuple(
            (
                e.tenant,
                f"{e.num_jobs:,}",
                f"{e.gpu_hours:,.0f}",
                f"{e.num_preempted:,}",
                f"{e.num_failed:,}",
                f"{e.lost_gpu_hours:,.0f}",
                f"{e.ettr:.3f}",
            )
            for e in told
        ),  # fmt: skip
        keys=tuple(names),
    )


def _power(result: Simulation, spec: FleetSpec) -> Picture:
    lines = [
        _line("drawn", result, lambda moment: moment.drawn_kw / 1_000),
        _line("cap", result, lambda moment: moment.cap_kw / 1_000),
    ]
    highest = max((moment.drawn_kw for moment in result.moments), default=0.0)
    events = [
        Mark(x=event.start_s / _DAY_S, text=f"{event.cut:.0%} less for {event.duration_s / 3_600:g} h")
        for event in spec.grid_events
        if event.start_s <= result.end_s
    ]  # fmt: skip
    return Picture(
        title="Power against the cap",
        finding=f"At most {highest / 1_000:,.1f} MW drawn; above the cap by {result.over_cap_kw:g} kW.",
        svg=line_chart(lines, _days(result), linear_axis("MW", _top(lines)), events),
        header=("site", "cap kW"),
        rows=tuple((site.name, f"{site.cap_kw:,.0f}") for site in spec.sites),
        keys=("drawn", "cap"),
    )


def _waiting(result: Simulation) -> Picture:
    line = _line("waiting", result, lambda moment: moment.num_waiting)
    most = max((moment.num_waiting for moment in result.moments), default=0)
    return Picture(
        title="Jobs that wait",
        finding=f"At most {most:,} waited at once.",
        svg=line_chart([line], _days(result), linear_axis("jobs", _top([line]))),
        header=("what", "value"),
        rows=(("most at once", f"{most:,}"), ("at the end", f"{len(result.unfinished):,}")),
        keys=("waiting",),
    )


def _waits(told: Sequence[TenantOutcome]) -> Picture:
    bars = [Bar(label=each.tenant[:10], parts=((0, each.wait_mean_s / 3_600),)) for each in told[:12]]
    worst = max(told, key=lambda each: each.wait_mean_s)
    return Picture(
        title="Mean wait by tenant",
        finding=f"{worst.tenant} waited longest: {worst.wait_mean_s / 3_600:.2g} h on average.",
        svg=stacked_bars(bars, linear_axis("hours", [each.wait_mean_s / 3_600 for each in told])),
        header=("tenant", "mean h", "median h", "95th percentile h"),
        rows=tuple(
            (e.tenant, *(f"{v / 3_600:.2f}" for v in (e.wait_mean_s, e.wait_median_s, e.wait_p95_s)))
            for e in told
        ),
        is_lines=False,
    )
