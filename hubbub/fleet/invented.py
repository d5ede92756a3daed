"""An INVENTED week of jobs of three tenants, for demos: long runs, sweeps and small jobs, by the hour.

No trace was copied; sizes follow what Philly and Helios report (most jobs small, most GPU time in large
ones).
"""

from __future__ import annotations

import math
import random

from hubbub.fleet.jobs import Job

_DAY_S = 86_400.0
_KINDS = (
    # name, jobs a day per 1,000 GPUs, GPUs to choose from, median hours, spread (log), checkpoint minutes
    ("try", 30.0, (1, 2, 4, 8), 0.4, 1.2, 30),
    ("sweep", 12.0, (8, 16, 32, 64), 3.0, 0.9, 30),
    ("train", 0.9, (512, 1_024, 2_048), 20.0, 0.6, 20),
)
_TENANTS = (("xai", 0.5), ("x", 0.2), ("tesla", 0.3))


def invented_jobs(
    num_gpus: int = 60_000, *, days: float = 7.0, load: float = 1.0, seed: int = 1
) -> list[Job]:
    """Return a week of jobs that want about `load` times what the fleet can give; the same for one seed."""
    draw = random.Random(seed)
    jobs: list[Job] = []
    for tenant, share in _TENANTS:
        for kind, daily, sizes, hours, spread, minutes in _KINDS:
            for submit_s in _hours_of_day(draw, daily * share * load * num_gpus / 1_000 * days, days):
                run_s = 3_600 * hours * math.exp(draw.gauss(0, spread))
                jobs.append(
                    Job(
                        id=f"{tenant}-{kind}-{len(jobs)}",
                        tenant=tenant,
                        gpus=min(draw.choice(sizes), num_gpus),
                        submit_s=submit_s,
                        run_s=run_s,
                        expected_s=run_s * math.exp(draw.gauss(0, 0.2)),
                        checkpoint_s=60.0 * minutes,
                        restart_s=120.0 if kind == "try" else 300.0,
                    )
                )
    return sorted(jobs, key=lambda job: job.submit_s)


def _hours_of_day(draw: random.Random, expected: float, days: float) -> list[float]:
    """Draw times of submission: four times as many at 15:00 as at 03:00."""
    times: list[float] = []
    while len(times) < expected:
        at_s = draw.random() * days * _DAY_S
        if draw.random() < 0.625 - 0.375 * math.cos(2 * math.pi * (at_s / _DAY_S - 0.125)):
            times.append(at_s)
    return times
