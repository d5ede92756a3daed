"""Tokens a day by number of GPUs, failures included, from a few predictions; it knows no dates.

Predictions at a ladder of sizes are joined by lines, and more GPUs never train less: a run may leave some
idle. How fast a step is comes from outside, as a function of the number of GPUs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable

import msgspec

from hubbub.errors import InvalidInput
from hubbub.plan.estimate import Estimate, product
from hubbub.plan.failures import DAY_S, FailureModel, Goodput, expect_goodput

# Rungs as shares of the largest size: lines between them are near enough, and each costs a search of layouts.
_RUNGS = (1.0, 0.75, 0.5, 0.375, 0.25, 0.125, 0.0625)


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """What a prediction says of one size: tokens a second without failures, and the share that computes."""

    tokens_per_s: Estimate
    busy_share: float


SpeedOf = Callable[[int], Speed]


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """One size, and what is expected of it; `tokens_per_day` is the best of this and all smaller sizes."""

    num_gpus: int
    speed: Speed
    goodput: Goodput
    tokens_per_day: Estimate


class Throughput:
    """Expected tokens a day for any number of GPUs up to the largest asked for."""

    def __init__(
        self, speed_of: SpeedOf, num_params: float, sizes: Iterable[int], model: FailureModel | None = None
    ) -> None:
        largest = max(sizes := sorted(set(sizes)))
        ladder = {max(1, round(largest * share / 8) * 8) for share in _RUNGS} | set(sizes)
        self.rungs: list[Rung] = []
        for num_gpus in sorted(ladder):
            speed = speed_of(num_gpus)
            if not speed.tokens_per_s.low >= 0:
                raise InvalidInput(
                    f"tokens_per_s is {speed.tokens_per_s} at {num_gpus} GPUs; it cannot be negative"
                )
            goodput = expect_goodput(num_gpus, num_params, model)
            day = product(speed.tokens_per_s, goodput.goodput).scaled(DAY_S)
            if self.rungs:
                day = _best(self.rungs[-1].tokens_per_day, day)
            self.rungs.append(Rung(num_gpus=num_gpus, speed=speed, goodput=goodput, tokens_per_day=day))

    def tokens_per_day(self, num_gpus: int) -> Estimate:
        """Return what that many GPUs train in a day; below the lowest rung in proportion."""
        place = bisect_left(self.rungs, num_gpus, key=lambda rung: rung.num_gpus)
        above = self.rungs[min(place, len(self.rungs) - 1)]
        if place == 0:
            return above.tokens_per_day.scaled(num_gpus / above.num_gpus)
        below = self.rungs[place - 1]
        part = (num_gpus - below.num_gpus) / max(1, above.num_gpus - below.num_gpus)
        return _between(below.tokens_per_day, above.tokens_per_day, min(1.0, part))

    def nearest(self, num_gpus: int) -> Rung:
        """Return the rung at that size, or the next above it."""
        place = bisect_left(self.rungs, num_gpus, key=lambda rung: rung.num_gpus)
        return self.rungs[min(place, len(self.rungs) - 1)]


def _best(a: Estimate, b: Estimate) -> Estimate:
    return Estimate(low=max(a.low, b.low), mid=max(a.mid, b.mid), high=max(a.high, b.high))


def _between(a: Estimate, b: Estimate, part: float) -> Estimate:
    low, mid, high = (x + (y - x) * part for x, y in ((a.low, b.low), (a.mid, b.mid), (a.high, b.high)))
    return Estimate(low=low, mid=mid, high=high)
