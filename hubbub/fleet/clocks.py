"""What a GPU draws and does at a lower clock: the law of `hubbub.plan.power`; it caps nobody.

A clock c (of the full one, 1,980 MHz on an H100) leaves 1 - g + g c^k of a busy server's power, with g = .55
the GPUs' share of it and k = 2 (`plan/data/economics.csv` has both with their sources and bounds), and c of
the speed, as if a job did nothing but compute: the most that it can cost. The lowest clock that was published
is 1,470 MHz (.742): a pool's `min_clock` below that stands on nothing.
"""

from __future__ import annotations

import math

from hubbub.fleet.claims import Claim
from hubbub.fleet.spec import Pool
from hubbub.plan.power import clock_power
from hubbub.plan.tables import figure


def kw_at(pool: Pool, clock: float) -> float:
    """Return what a busy GPU draws above an idle one at a share of the full clock."""
    busy_kw = pool.busy_kw_per_gpu if clock == 1 else pool.busy_kw_per_gpu * clock_power(clock)
    return max(busy_kw - pool.idle_kw_per_gpu, 0.0)


def clock_at(pool: Pool, kw_per_gpu: float) -> float:
    """Return the share of the full clock at which a busy GPU draws so much above an idle one."""
    if kw_per_gpu >= kw_at(pool, 1.0):
        return 1.0
    gpus = figure("power.gpu_share")
    left = ((kw_per_gpu + pool.idle_kw_per_gpu) / pool.busy_kw_per_gpu - 1 + gpus) / gpus
    return math.pow(max(left, 0.0), 1 / figure("clock.exponent"))


def softest_kw(claim: Claim) -> float:
    """Return the least that a running job can draw without losing a GPU."""
    assert claim.pool is not None
    pool = claim.pool.pool
    return min(claim.gpus * kw_at(pool, pool.min_clock), claim.kw) if pool.min_clock < 1 else claim.kw
