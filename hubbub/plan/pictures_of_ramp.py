"""Pictures of a scenario: tokens, GPUs and money of every plan by date; they write no page."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence

from hubbub import drawing
from hubbub.drawing import Axis, Line, linear_axis
from hubbub.plan.ramp import Comparison, Outcome, Point
from hubbub.plan.wording import tell, tell_usd
from hubbub.report import Picture


def ramp_pictures(told: Comparison) -> tuple[Picture, Picture, Picture]:
    """Show the tokens, the GPUs that run and the money of every plan, by date."""
    plans = [outcome for outcome in told.outcomes if len(outcome.curve) > 1]
    return _tokens(told.tokens, plans), _gpus(plans), _money(plans)


def _tokens(num_tokens: float, plans: Sequence[Outcome]) -> Picture:
    ended = [
        f"{o.plan} on {o.done} ({o.done_early} to {o.done_late or 'after 30 years'})" for o in plans if o.done
    ]
    never = [f"{o.plan} never" for o in plans if not o.done]
    header = "plan, date, where, GPUs that run, clock MHz, MW, tokens T, run M USD, paid M USD"
    return Picture(
        title="Tokens by date",
        finding=f"{num_tokens / 1e12:.4g}T tokens are trained: {'; '.join(ended + never)}.",
        svg=_chart(plans, "tokens, T", lambda point: point.tokens / 1e12),
        header=tuple(header.split(", ")),
        rows=tuple(row for outcome in plans for row in _rows(outcome)),
        keys=tuple(outcome.plan for outcome in plans),
    )


def _gpus(plans: Sequence[Outcome]) -> Picture:
    most = (f"{o.plan}: at most {max(point.state.running_gpus for point in o.curve):,}" for o in plans)
    return Picture(
        title="GPUs that run",
        finding="; ".join(most) + ".",
        svg=_chart(plans, "GPUs", lambda point: float(point.state.running_gpus), is_stepped=True),
        header=("plan", "goodput", "interrupted every h", "spare servers"),
        rows=tuple(
            (o.plan, tell(o.goodput, ".0%"), tell(o.mttf_h, ".2g"), str(o.spare_servers)) for o in plans
        ),
        keys=tuple(outcome.plan for outcome in plans),
    )


def _money(plans: Sequence[Outcome]) -> Picture:
    return Picture(
        title="What the run has cost",
        finding="; ".join(map(_cost, plans)) + ".",
        svg=_chart(plans, "million USD", lambda point: point.run_usd / 1e6),
        header=("plan", "run", "paid", "energy MWh", "t CO2"),
        rows=tuple(
            (
                o.plan,
                tell_usd(o.run_usd),
                tell_usd(o.cash_usd),
                tell(o.energy_mwh, ",.0f"),
                tell(o.carbon_t, ",.0f"),
            )
            for o in plans
        ),
        keys=tuple(outcome.plan for outcome in plans),
        note="What is owned counts by its yearly cost here, since it goes on working after the run.",
    )


def _cost(outcome: Outcome) -> str:
    run = f"{outcome.plan}: {tell_usd(outcome.run_usd)}"
    is_all = outcome.cash_usd.mid == outcome.run_usd.mid
    return run if is_all else f"{run}, with {tell_usd(outcome.cash_usd)} paid by then"


def _chart(
    plans: Sequence[Outcome], label: str, value: Callable[[Point], float], *, is_stepped: bool = False
) -> str:
    """Draw a line for every plan, by date."""
    dates = [point.date for outcome in plans for point in outcome.curve]
    first = min(dates)
    lines = [
        Line(
            name=outcome.plan,
            points=tuple((float((point.date - first).days), value(point)) for point in outcome.curve),
            is_stepped=is_stepped,
        )
        for outcome in plans
    ]
    highs = [0.0, *(y for line in lines for _, y in line.points)]
    return drawing.line_chart(lines, _date_axis(first, max(dates)), linear_axis(label, highs))


def _date_axis(first: dt.date, last: dt.date) -> Axis:
    """Return an axis of days with the firsts of months, four to six of them."""
    days = max(1, (last - first).days)
    every = max(1, math.ceil(days / 30.44 / 5))
    months = [first.year * 12 + first.month - 1 + n for n in range(days // 28 + 2)]
    firsts = [dt.date(m // 12, m % 12 + 1, 1) for m in months if m % every == 0]
    ticks = tuple((float((d - first).days), f"{d:%b %Y}") for d in firsts if first <= d <= last)
    if not ticks:
        ticks = ((0.0, first.isoformat()), (float(days), last.isoformat()))
    return Axis(label="", low=0, high=float(days), ticks=ticks)


def _rows(outcome: Outcome) -> list[tuple[str, ...]]:
    return [
        (
            outcome.plan,
            str(point.date),
            point.state.where,
            f"{point.state.running_gpus:,}",
            f"{point.state.clock_mhz:.0f}",
            f"{point.state.mean_mw:.1f}",
            f"{point.tokens / 1e12:.2f}",
            f"{point.run_usd / 1e6:,.1f}",
            f"{point.cash_usd / 1e6:,.1f}",
        )
        for n, point in enumerate(outcome.curve)
        if n % 4 == 0 or n == len(outcome.curve) - 1
    ]
