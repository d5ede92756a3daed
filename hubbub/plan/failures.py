"""What interrupts a run and what that costs: rates by size, checkpoints, restarts, spares, goodput.

It knows neither power nor money. Published rates and costs are in `data/economics.csv`.

MTTF falls as 1/N only for big jobs. On RSC (arXiv 2410.21680) jobs of 8 and of 1,024 GPUs were interrupted
3.2 and 3.7 times as often as the servers' rate tells, since small jobs also die of their own code. So the
number of interruptions a day is read off a line through the two measured points and the point at 4,096 GPUs
from which on the servers' rate rules, straight in log-log: it meets every published figure, and never falls
with size. Another cluster's rate scales the whole line.
"""

from __future__ import annotations

import math

import msgspec

from hubbub.errors import InvalidInput
from hubbub.plan.estimate import Estimate, exact, predicted
from hubbub.plan.tables import bounded, figure, read_table

DAY_S = 86_400.0
SERVER_GPUS = 8
RATES = ("rsc1", "rsc2", "llama3", "megascale", "opt")
# The band is that of the clusters since 2023; OPT's of 2021 was three times as bad as any of them.
_MODERN = RATES[:4]
# Student's t at 90% for 3 degrees of freedom: the 80% prediction band of a fifth cluster from four.
_T_90_3 = 1.638


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One row of Llama 3's table of unexpected interruptions."""

    cause: str
    count: int
    takes_server: str
    source: str


class Goodput(msgspec.Struct, frozen=True, kw_only=True):
    """What failures do to a run on `num_gpus`; shares are of wall time and add to 1 with the goodput."""

    num_gpus: int
    mttf_h: Estimate
    checkpoint_bytes: float
    checkpoint_s: float
    interval_s: float
    young_s: float
    daly_s: float
    restart_s: float
    spare_servers: int
    goodput: Estimate
    meta_ettr: float
    lost_to_checkpoints: float
    lost_to_restarts: float
    lost_to_planned: float
    lost_to_missing_servers: float


class FailureModel(msgspec.Struct, frozen=True, kw_only=True):
    """What is assumed of a cluster; fields left out take the published figures."""

    rate: Estimate = msgspec.field(default_factory=lambda: published_rate("llama3"))
    write_bytes_per_s: float | None = None
    restart_s: float | None = None
    interval_s: float | None = None
    spare_servers: int | None = None
    repair_days: float | None = None

    def __post_init__(self) -> None:
        """Refuse figures that cannot be."""
        for name in ("write_bytes_per_s", "restart_s", "interval_s", "repair_days"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InvalidInput(f"{name} is {value}; give a number above 0, or leave it out")
        if self.spare_servers is not None and self.spare_servers < 0:
            raise InvalidInput(f"spare_servers is {self.spare_servers}; give 0 or more, or leave it out")
        if not (math.isfinite(self.rate.high) and 0 < self.rate.low <= self.rate.mid <= self.rate.high):
            raise InvalidInput(
                f"rate is {self.rate.mid} interruptions per server and day; published are "
                + ", ".join(f"{name} {figure(f'rate.{name}')}" for name in RATES)
            )


def rate_of(gpu: str) -> Estimate:
    """Return the rate that fits a GPU best: RSC-1's for an A100, Llama 3's for all that came later."""
    return published_rate("rsc1" if gpu.lower().startswith("a100") else "llama3")


def published_rate(name: str) -> Estimate:
    """Return a cluster's rate per 8-GPU server and day, with the 80% band that four modern clusters span.

    Raises:
        InvalidInput: no rate of that name is published.
    """
    if name not in RATES:
        raise InvalidInput(f"rate {name!r} is not known; choose one of {', '.join(RATES)} or give a number")
    return predicted(figure(f"rate.{name}"), [figure(f"rate.{each}") for each in _MODERN], _T_90_3)


def interruptions_per_day(num_gpus: float, rate: float) -> float:
    """Return the unexpected interruptions a day of one job; `rate` is per 8-GPU server and day."""
    _require_gpus(num_gpus)
    rsc1, last = figure("rate.rsc1"), figure("small_job.linear_from_gpus")
    points = [
        (float(SERVER_GPUS), 24 / figure("small_job.mttf_8_gpus_h")),
        (1024.0, 24 / figure("small_job.mttf_1024_gpus_h")),
        (last, last / SERVER_GPUS * rsc1),
    ]
    gpus = max(float(num_gpus), points[0][0])
    if gpus >= last:
        return gpus / SERVER_GPUS * rate
    (x0, y0), (x1, y1) = points[:2] if gpus < points[1][0] else points[1:]
    slope = math.log(y1 / y0) / math.log(x1 / x0)
    return y0 * math.exp(slope * math.log(gpus / x0)) * rate / rsc1


def mttf_s(num_gpus: float, rate: float) -> float:
    """Return the mean time to the next unexpected interruption of one job, in seconds."""
    return DAY_S / interruptions_per_day(num_gpus, rate)


def server_share() -> float:
    """Return the share of interruptions that take a server away (Llama 3's causes)."""
    causes = read_table("causes.csv", Cause)
    return sum(each.count for each in causes if each.takes_server == "yes") / sum(c.count for c in causes)


def young_s(checkpoint_s: float, mttf: float) -> float:
    """Return Young's interval between checkpoints (Comm. ACM 17, 1974): sqrt(2 d M)."""
    return math.sqrt(2 * checkpoint_s * mttf)


def daly_s(checkpoint_s: float, mttf: float) -> float:
    """Return Daly's interval of higher order (Future Gen. Comp. Syst. 22, 2006, eq. 37)."""
    if checkpoint_s >= 2 * mttf:
        return mttf
    x = checkpoint_s / (2 * mttf)
    return young_s(checkpoint_s, mttf) * (1 + math.sqrt(x) / 3 + x / 9) - checkpoint_s


def best_interval_s(checkpoint_s: float, mttf: float) -> float:
    """Return the interval that minimises Daly's wall time exactly: (1 - t/M) e^((t + d)/M) = 1, by bisection.

    Young's and Daly's are its approximations for short checkpoints.
    """
    low, high = 0.0, 1.0 - 1e-12
    for _ in range(60):
        x = (low + high) / 2
        # log1p keeps it exact for short checkpoints, where both factors are nearly 1
        low, high = (x, high) if math.log1p(-x) + x + checkpoint_s / mttf > 0 else (low, x)
    return (low + high) / 2 * mttf


def daly_goodput(interval_s: float, checkpoint_s: float, restart_s: float, mttf: float) -> float:
    """Return useful over wall time: t / (M e^(R/M) (e^((t+d)/M) - 1)), Daly 2006 eq. 20 turned over."""
    exponent = (interval_s + checkpoint_s) / mttf
    if exponent + restart_s / mttf > 700:
        return 0.0
    return interval_s / (mttf * math.exp(restart_s / mttf) * math.expm1(exponent))


def meta_ettr(interval_s: float, checkpoint_s: float, restart_s: float, mttf: float) -> float:
    """Return Meta's effective training time ratio (arXiv 2410.21680): (1 - (u + t/2)/M) / (1 + w/t), or 0."""
    kept = 1 - (restart_s + interval_s / 2) / mttf
    return max(0.0, kept) / (1 + checkpoint_s / interval_s)


def enough_servers(num_spares: int, servers_in_repair: float) -> float:
    """Return the share of time with no more than `num_spares` servers in repair: Poisson (M/M/inf)."""
    if servers_in_repair <= 0:
        return 1.0
    log = math.log(servers_in_repair)
    terms = (k * log - servers_in_repair - math.lgamma(k + 1) for k in range(num_spares + 1))
    return min(1.0, math.fsum(map(math.exp, terms)))


def spares_needed(servers_in_repair: float, coverage: float) -> int:
    """Return the fewest spare servers that suffice for that share of the time."""
    low, high = -1, max(1, math.ceil(servers_in_repair + 10 * math.sqrt(servers_in_repair) + 10))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough_servers(middle, servers_in_repair) >= coverage else (middle, high)
    return high


def checkpoint_bytes(num_params: float) -> float:
    """Return the size of a checkpoint with optimizer states."""
    return figure("checkpoint.bytes_per_param") * num_params


def expect_goodput(num_gpus: int, num_params: float, model: FailureModel | None = None) -> Goodput:
    """Return what failures cost a run; the band is that of the rate and of the time to restart.

    Raises:
        InvalidInput: no GPUs or no parameters.
    """
    _require_gpus(num_gpus)
    if not (math.isfinite(num_params) and num_params > 0):
        raise InvalidInput(f"num_params is {num_params}; a model has more than 0 parameters")
    model = model or FailureModel()
    size = checkpoint_bytes(num_params)
    write = model.write_bytes_per_s or figure("checkpoint.write_bytes_per_s_gpu") * num_gpus
    restart = bounded("restart_s") if model.restart_s is None else exact(model.restart_s)
    save_s = size / write
    mttf = mttf_s(num_gpus, model.rate.mid)
    interval = model.interval_s or best_interval_s(save_s, mttf)
    spares, present = _spares(num_gpus, model)
    planned = min(1.0, figure("planned_per_day") * restart.mid / DAY_S)
    kept = present * (1 - planned)
    useful = kept * daly_goodput(interval, save_s, restart.mid, mttf)
    saving = useful * save_s / interval
    by_rate = [
        DAY_S / 3600 / interruptions_per_day(num_gpus, r)
        for r in (model.rate.high, model.rate.mid, model.rate.low)
    ]
    return Goodput(
        num_gpus=num_gpus,
        mttf_h=Estimate(low=by_rate[0], mid=by_rate[1], high=by_rate[2]),
        checkpoint_bytes=size,
        checkpoint_s=save_s,
        interval_s=interval,
        young_s=young_s(save_s, mttf),
        daly_s=daly_s(save_s, mttf),
        restart_s=restart.mid,
        spare_servers=spares,
        goodput=_goodput_band(useful, kept, num_gpus, save_s, model, restart),
        meta_ettr=meta_ettr(interval, save_s, restart.mid, mttf),
        lost_to_checkpoints=saving,
        lost_to_restarts=max(0.0, kept - useful - saving),
        lost_to_planned=present * planned,
        lost_to_missing_servers=1 - present,
    )


def _goodput_band(
    useful: float, kept: float, num_gpus: int, save_s: float, model: FailureModel, restart: Estimate
) -> Estimate:
    """Vary the rate and the restart one at a time and join what each moves, in quadrature."""

    def at(rate: float, restart_s: float) -> float:
        mttf = mttf_s(num_gpus, rate)
        interval = model.interval_s or best_interval_s(save_s, mttf)
        return kept * daly_goodput(interval, save_s, restart_s, mttf)

    down = math.hypot(useful - at(model.rate.high, restart.mid), useful - at(model.rate.mid, restart.high))
    up = math.hypot(at(model.rate.low, restart.mid) - useful, at(model.rate.mid, restart.low) - useful)
    return Estimate(low=max(0.0, useful - down), mid=useful, high=min(kept, useful + up))


def _spares(num_gpus: int, model: FailureModel) -> tuple[int, float]:
    """Return the spare servers and the share of time that enough servers stand."""
    repair_days = model.repair_days or figure("spares.repair_days")
    in_repair = num_gpus / SERVER_GPUS * model.rate.mid * server_share() * repair_days
    coverage = figure("spares.coverage")
    if model.spare_servers is None:
        return spares_needed(in_repair, coverage), coverage
    return model.spare_servers, enough_servers(model.spare_servers, in_repair)


def _require_gpus(num_gpus: float) -> None:
    if not (math.isfinite(num_gpus) and num_gpus >= 1):
        raise InvalidInput(f"num_gpus is {num_gpus}; a run has 1 or more")
