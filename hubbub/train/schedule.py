"""The learning rate over a run: warm-up, stable, decay; it holds no learning rate."""

from __future__ import annotations

import math

import msgspec

from hubbub.errors import InvalidInput

SCHEDULES = ("wsd", "constant", "anneal")


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Linear warm-up, a stable part, and a decay of 1 - sqrt to nothing (Haegele et al., arXiv 2405.18392).

    The stable part can go on for ever: a branch that decays is made from any of its checkpoints (WSD,
    MiniCPM, arXiv 2404.06395).
    """

    num_steps: int
    warmup_steps: int = 0
    decay_steps: int = 0

    def factor(self, step: int) -> float:
        """Return by what to multiply the learning rate at a step, 0 the first."""
        rise = min(1.0, (step + 1) / (self.warmup_steps + 1))
        left = self.num_steps - step
        if left > self.decay_steps:
            return rise
        return min(rise, 1.0 - math.sqrt(1 - max(left, 0) / (self.decay_steps + 1)))


def schedule_for(name: str, num_steps: int, warmup_steps: int, decay_share: float) -> Schedule:
    """Return the named schedule: wsd; constant (the trunk, no decay); anneal (the branch, all decay).

    Raises:
        InvalidInput: there is no such schedule.
    """
    if name == "wsd":
        return Schedule(
            num_steps=num_steps, warmup_steps=warmup_steps, decay_steps=round(decay_share * num_steps)
        )
    if name == "constant":
        return Schedule(num_steps=num_steps, warmup_steps=warmup_steps)
    if name == "anneal":
        return Schedule(num_steps=num_steps, decay_steps=num_steps)
    raise InvalidInput(f"schedule {name!r} is none of {', '.join(SCHEDULES)}")
