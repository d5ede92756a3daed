"""What a tenant of the fleet holds, waits for and used; it decides nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hubbub.fleet.claims import Claim
from hubbub.fleet.spec import Tenant

_LN_2 = math.log(2)


@dataclass(eq=False, slots=True)
class TenantState:
    """What a tenant holds and waits for."""

    tenant: Tenant
    half_life_s: float
    """Of what it used, for fair shares over time; 0: that is not kept."""
    guaranteed_gpus: int
    """What the fleet's file says, and what was delivered since."""
    held_gpus: int = 0
    held_gpu_s: float = 0.0
    """GPUs held times seconds, up to `counted_s`."""
    used_gpu_s: float = 0.0
    """The same, halved every half-life."""
    counted_s: float = 0.0
    right_gpus: int = 0
    queues: dict[int, list[tuple[float, int, Claim]]] = field(default_factory=dict)
    """By priority, a heap by the policy's order."""
    borrowed: dict[str, Claim] = field(default_factory=dict)
    """Running beyond the guarantee, oldest first."""

    def hold(self, gpus: int, now_s: float) -> None:
        """Hold so many GPUs more or, below 0, fewer."""
        passed_s = now_s - self.counted_s
        if passed_s:
            self.held_gpu_s += self.held_gpus * passed_s
            if self.half_life_s:
                self.used_gpu_s = self.used_at(now_s)
            self.counted_s = now_s
        self.held_gpus += gpus

    def used_at(self, now_s: float) -> float:
        """Return the GPU-seconds that it used, each halved for every half-life since."""
        if not self.half_life_s:
            return 0.0
        left = math.exp(-_LN_2 * (now_s - self.counted_s) / self.half_life_s)
        return self.used_gpu_s * left + self.held_gpus * (1 - left) * self.half_life_s / _LN_2
