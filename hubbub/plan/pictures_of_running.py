"""Pictures of a run's surroundings: failures, power and money; each with its finding and its table."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

from hubbub import drawing
from hubbub.drawing import Axis, Line, Mark, linear_axis, log_axis
from hubbub.plan.cost import TERMS, Owned, break_even_months, owned_usd, rent_usd_per_gpu_hour
from hubbub.plan.estimate import Estimate
from hubbub.plan.failures import Goodput, daly_goodput
from hubbub.plan.power import Draw, under_cap
from hubbub.plan.wording import tell, tell_time, tell_usd
from hubbub.report import Picture

_TIMES = ((1, "1 s"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (3600, "1 h"), (36_000, "10 h"))


def goodput_picture(told: Goodput) -> Picture:
    """Show the share of useful time against the time between checkpoints, for the band of rates."""
    mttf = [hours * 3600 for hours in (told.mttf_h.low, told.mttf_h.mid, told.mttf_h.high)]
    low, high = max(1.0, told.interval_s / 30), min(told.interval_s * 60, mttf[2] * 2)
    xs = [low * math.exp(math.log(high / low) * n / 48) for n in range(49)]
    band = [tuple(daly_goodput(x, told.checkpoint_s, told.restart_s, m) for m in mttf) for x in xs]
    line = Line(
        name="goodput",
        points=tuple((x, ys[1]) for x, ys in zip(xs, band, strict=True)),
        band=tuple((x, ys[0], ys[2]) for x, ys in zip(xs, band, strict=True)),
    )
    best = daly_goodput(told.interval_s, told.checkpoint_s, told.restart_s, mttf[1])
    mark = Mark(x=told.interval_s, y=best, text=f"every {tell_time(told.interval_s)}")
    return Picture(
        title="Goodput against the checkpoint interval",
        finding=(
            f"{told.num_gpus:,} GPUs are interrupted every {tell(told.mttf_h, '.2g')} h; a checkpoint takes "
            f"{told.checkpoint_s:.2g} s and pays every {tell_time(told.interval_s)}. Of all time "
            f"{tell(told.goodput, '.0%')} trains."
        ),
        svg=drawing.line_chart(
            [line],
            log_axis("time between checkpoints", low, high, _TIMES),
            _shares("share of time that trains"),
            [mark],
        ),
        header=("interval", "goodput", "80% band"),
        rows=tuple(
            (tell_time(x), f"{ys[1]:.1%}", f"{ys[0]:.1%} to {ys[2]:.1%}")
            for x, ys in list(zip(xs, band, strict=True))[::6]
        ),
        keys=("goodput, with its 80% band",),
        note="Planned interruptions and missing servers are in the share above, not in the line.",
    )


def power_picture(full: Draw) -> Picture:
    """Show what is left of the speed under a power cap."""
    top = full.provisioned_mw.mid * 1.1
    caps = [top * n / 44 for n in range(1, 45)]
    told = [under_cap(full, cap) for cap in caps]
    shares = [t.clock_speed.scaled(t.num_gpus / full.num_gpus) for t in told]
    line = Line(
        name="speed",
        points=tuple((cap, s.mid) for cap, s in zip(caps, shares, strict=True)),
        band=tuple((cap, s.low, s.high) for cap, s in zip(caps, shares, strict=True)),
    )
    need, mean = full.provisioned_mw, full.mean_mw
    return Picture(
        title="Speed under a power cap",
        finding=(
            f"{full.num_gpus:,} GPUs draw {tell(mean)} MW on the mean and need a source of {tell(need)} MW; "
            "with less, clocks fall first, then GPUs stand still."
        ),
        svg=drawing.line_chart(
            [line],
            linear_axis("megawatts that the source can give", [0, top]),
            _shares("speed left"),
            [Mark(x=need.mid, text="all that is needed")],
        ),
        header=("MW", "GPUs that run", "clock MHz", "speed left", "80% band"),
        rows=tuple(
            (
                f"{cap:.4g}",
                f"{t.num_gpus:,}",
                f"{t.clock_mhz:.0f}",
                f"{s.mid:.0%}",
                f"{s.low:.0%} to {s.high:.0%}",
            )
            for cap, t, s in list(zip(caps, told, shares, strict=True))[3::5]
        ),
        keys=("speed left, with its bounds",),
        note="Bounds: lower clocks cost nothing, or all that NVIDIA's own scripts allow for.",
    )


def money_picture(owned: Owned, gpu: str, when: dt.date) -> Picture:
    """Show what has been paid month by month: rented by term, owned, owned less its resale."""
    months = list(range(0, 49, 2))
    hour = owned.num_gpus * 730.5
    lines, keys = [], []
    for term in TERMS:
        rent = rent_usd_per_gpu_hour(gpu, when, term)
        lines.append(
            _money(f"rent, {term}", [(m, rent.scaled(hour * m)) for m in months], has_band=term == TERMS[0])
        )
        keys.append(f"rent, {term}: {rent.mid:.2f} USD/GPU-h")
    paid = [(m, owned.capex_usd.mid + owned.running_usd_year.mid * m / 12) for m in months]
    lines.append(Line(name="own, paid", points=tuple((m, v / 1e6) for m, v in paid)))
    lines.append(_money("own, less resale", [(m, owned_usd(owned, m / 12)) for m in months], has_band=True))
    even = break_even_months(owned, rent_usd_per_gpu_hour(gpu, when))
    verdict = f"is paid back after {tell(even, '.0f')} months" if math.isfinite(even.mid) else "never pays"
    years = Axis(label="months", low=0, high=48, ticks=tuple((float(m), str(m)) for m in range(0, 49, 12)))
    top = [y for line in lines for y in (line.points[-1][1], *(high for _, _, high in line.band))]
    return Picture(
        title="Rent against build",
        finding=(
            f"{owned.num_gpus:,} {gpu.upper()} cost {tell_usd(owned.capex_usd)} to build; against renting on "
            f"demand that {verdict}."
        ),
        svg=drawing.line_chart(lines, years, linear_axis("million USD", [0, *top])),
        header=("month", *(line.name for line in lines)),
        rows=tuple(
            (str(m), *(f"{line.points[n][1]:,.0f}" for line in lines))
            for n, m in enumerate(months)
            if m % 6 == 0
        ),
        keys=(*keys, "own, all that was paid", "own, less what it would sell for"),
        note="In million USD; the bands are those of on-demand rents and of owning.",
    )


def _shares(label: str) -> Axis:
    ticks = tuple((n / 5, f"{n * 20}%") for n in range(6))
    return Axis(label=label, low=0, high=1, ticks=ticks)


def _money(name: str, points: Sequence[tuple[int, Estimate]], *, has_band: bool) -> Line:
    return Line(
        name=name,
        points=tuple((m, usd.mid / 1e6) for m, usd in points),
        band=tuple((m, usd.low / 1e6, usd.high / 1e6) for m, usd in points) if has_band else (),
    )
