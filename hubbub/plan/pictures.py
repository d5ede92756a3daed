"""Pictures of a step: its time, its memory, the layouts it could have.

Each has a finding in words and its table behind it. It writes no page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from hubbub import drawing
from hubbub.drawing import Bar, Dot, Mark, linear_axis
from hubbub.plan.hardware import GIB
from hubbub.report import Picture


def step_picture(parts_s: Mapping[str, float]) -> Picture:
    """Show where the seconds of one step go, largest first."""
    parts = sorted(((n, v) for n, v in parts_s.items() if v > 0), key=lambda p: -p[1])
    whole = sum(value for _, value in parts)
    bars = [Bar(label=name, parts=((0, value),)) for name, value in parts]
    return Picture(
        title="Where a step's time goes",
        finding=f"A step takes {whole:.4g} s; {parts[0][0]} is {parts[0][1] / whole:.0%} of it.",
        svg=drawing.stacked_bars(bars, linear_axis("seconds of a step", [0, parts[0][1]])),
        header=("part", "seconds", "share"),
        rows=tuple((name, f"{value:.4g}", f"{value / whole:.1%}") for name, value in parts),
        is_lines=False,
    )


def memory_picture(stages: Sequence[Mapping[str, float]], capacity_bytes: float) -> Picture:
    """Show what fills the memory of one GPU of each pipeline stage, in GiB."""
    names = tuple(dict.fromkeys(name for stage in stages for name in stage))
    totals = [sum(stage.values()) / GIB for stage in stages]
    shown = _thinned(len(stages), 12)
    bars = [
        Bar(
            label=f"stage {n}", parts=tuple((i, stages[n].get(name, 0) / GIB) for i, name in enumerate(names))
        )
        for n in shown
    ]
    limit = capacity_bytes / GIB
    fullest = max(range(len(stages)), key=totals.__getitem__)
    verdict = "fits" if totals[fullest] <= limit else "does not fit"
    return Picture(
        title="Memory of each stage",
        finding=f"Stage {fullest} is the fullest: {totals[fullest]:.1f} of {limit:.1f} GiB; it {verdict}.",
        svg=drawing.stacked_bars(
            bars, linear_axis("GiB on one GPU", [limit, *totals]), (limit, "all there is")
        ),
        header=("stage", *names, "GiB"),
        rows=tuple(
            (str(n), *(f"{stage.get(name, 0) / GIB:.2f}" for name in names), f"{totals[n]:.2f}")
            for n, stage in enumerate(stages)
        ),
        keys=names,
        is_lines=False,
    )


class LayoutPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One layout that a search looked at."""

    name: str
    step_s: float
    memory_bytes: float
    is_fit: bool


def layout_picture(layouts: Sequence[LayoutPoint], capacity_bytes: float) -> Picture:
    """Show every layout by step time and memory, and name the fastest that fits."""
    fit = sorted((each for each in layouts if each.is_fit), key=lambda each: each.step_s)
    best = fit[0] if fit else None
    slowest = (best.step_s if best else min(each.step_s for each in layouts)) * 4
    near = [each for each in layouts if each.step_s <= slowest and each.memory_bytes <= 2 * capacity_bytes]
    near = near or list(layouts)
    dots = [
        Dot(
            x=each.step_s,
            y=each.memory_bytes / GIB,
            text=f"{each.name}: {each.step_s:.4g} s, {each.memory_bytes / GIB:.1f} GiB",
            is_hollow=not each.is_fit,
        )
        for each in near
    ]
    marks = [Mark(x=best.step_s, y=best.memory_bytes / GIB, text="the fastest")] if best else []
    x = linear_axis("seconds of a step", [each.step_s for each in near], from_zero=False)
    told = f"Of {len(layouts):,} layouts shown {len(fit):,} fit"
    return Picture(
        title="The landscape of layouts",
        finding=f"{told}; the fastest is {best.name} at {best.step_s:.4g} s." if best else f"{told}.",
        svg=drawing.scatter(
            dots, x, linear_axis("GiB on one GPU", [d.y for d in dots] + [capacity_bytes / GIB]), marks
        ),
        header=("layout", "step s", "GiB", "fits"),
        rows=tuple(
            (
                each.name,
                f"{each.step_s:.4g}",
                f"{each.memory_bytes / GIB:.1f}",
                "yes" if each.is_fit else "no",
            )
            for each in sorted(near, key=lambda each: (not each.is_fit, each.step_s))[:20]
        ),
        note="Hollow points do not fit. Left out: slower than four times the best, twice too large.",
    )


def _thinned(number: int, most: int) -> list[int]:
    """Return the first, the last and evenly some between."""
    if number <= most:
        return list(range(number))
    return sorted({round(n * (number - 1) / (most - 1)) for n in range(most)})
