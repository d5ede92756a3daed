"""How figures of a plan are put into words: bands, money, times, layouts; it computes nothing."""

from __future__ import annotations

import math

from hubbub.plan.estimate import Estimate
from hubbub.specs import Layout


def tell(figure: Estimate, form: str = ".3g") -> str:
    """Write a figure and its 80% band, as `0.91 (0.82 to 0.96)`; no band where it is nothing."""
    mid, low, high = (_number(value, form) for value in (figure.mid, figure.low, figure.high))
    return mid if low == mid == high else f"{mid} ({low} to {high})"


def tell_usd(figure: Estimate) -> str:
    """Write dollars with their band, in the unit that fits."""
    scale, unit = next(
        ((s, u) for s, u in ((1e9, "billion USD"), (1e6, "million USD"), (1.0, "USD")) if figure.mid >= s),
        (1.0, "USD"),
    )
    return f"{tell(figure.scaled(1 / scale), '.3g' if scale > 1 else ',.2f')} {unit}"


def tell_time(seconds: float) -> str:
    """Write a span in the unit that fits."""
    for limit, scale, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 86_400:.3g} days"


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "never"


def tell_layout(layout: Layout) -> str:
    """Write a layout in the fewest words, as `tp8 pp16 vpp8 dp128`; what is 1 is left out."""
    fields = ("tp", "pp", "vpp", "cp", "ep", "etp", "dp", "shard")
    told = [f"{name}{getattr(layout, name)}" for name in fields if getattr(layout, name) > 1]
    told.append(f"mbs{layout.micro_batch}")
    told += [f"zero{layout.zero}"] if layout.zero != 1 else []
    told += [f"{layout.recompute} recompute"] if layout.recompute != "none" else []
    return " ".join(told)
