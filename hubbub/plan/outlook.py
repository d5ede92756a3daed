"""The outlook of a run from its speed: wall time, goodput, power, energy, carbon and money, with bands.

The speed of a step is given; this joins what failures, power and cost say of it.
"""

from __future__ import annotations

import datetime as dt
import math

import msgspec

from hubbub.errors import InvalidInput
from hubbub.plan.cost import Owned, has_price, own, rent_usd_per_gpu_hour
from hubbub.plan.estimate import Estimate, exact, inverse, product
from hubbub.plan.failures import DAY_S, SERVER_GPUS, FailureModel, Goodput, expect_goodput, rate_of
from hubbub.plan.grid import Region, find_region
from hubbub.plan.power import Draw, carbon_kg, draw, energy_kwh, require_power
from hubbub.plan.throughput import Speed


class Circumstances(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where and when a run takes place, and on what terms."""

    region: str = "usa"
    when: dt.date | None = None
    term: str = "on-demand"
    usd_per_gpu_hour: float | None = None
    pue: float | None = None
    power_cap_mw: float | None = None
    failures: FailureModel | None = None


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What a run takes; rent and own cost count spare servers too, and are None where no price is known."""

    days: Estimate
    goodput: Goodput
    draw: Draw
    energy_mwh: Estimate
    carbon_t: Estimate
    gpu_hours: Estimate
    rent_usd: Estimate | None
    own_usd: Estimate | None
    owned: Owned | None
    region: Region
    when: dt.date


def outlook(
    gpu: str,
    num_gpus: int,
    num_params: float,
    num_tokens: float,
    speed: Speed,
    where: Circumstances,
    *,
    num_idle: int = 0,
) -> Outlook:
    """Return what training that many tokens at that speed takes; `num_idle` more GPUs are there as spares.

    Raises:
        InvalidInput: no tokens, an unknown GPU, region or term, or more GPUs than the power cap carries.
    """
    if not (math.isfinite(num_tokens) and num_tokens > 0):
        raise InvalidInput(f"tokens is {num_tokens}; give the tokens to train on, as 15.6e12")
    if not speed.tokens_per_s.low > 0:
        raise InvalidInput(f"tokens_per_s is {speed.tokens_per_s.mid}; a run that does not move never ends")
    region, when = find_region(where.region), where.when or dt.date.today()
    full = draw(gpu, num_gpus, busy_share=speed.busy_share, pue=where.pue or region.pue)
    if where.power_cap_mw is not None:
        require_power(full, where.power_cap_mw)
    failures = where.failures or FailureModel(rate=rate_of(gpu))
    goodput = expect_goodput(num_gpus, num_params, failures)
    days = product(exact(num_tokens / DAY_S), inverse(speed.tokens_per_s), inverse(goodput.goodput))
    hours = days.scaled(24)
    paid_hours = hours.scaled(num_gpus + max(num_idle, goodput.spare_servers * SERVER_GPUS))
    energy = energy_kwh(full.mean_mw, hours)
    owned = _owned(full, gpu, when, region)
    rent = _rent(gpu, when, where)
    return Outlook(
        days=days,
        goodput=goodput,
        draw=full,
        energy_mwh=energy.scaled(1e-3),
        carbon_t=carbon_kg(energy, region.carbon).scaled(1e-3),
        gpu_hours=hours.scaled(num_gpus),
        rent_usd=product(paid_hours, rent) if rent else None,
        own_usd=product(paid_hours, owned.usd_per_gpu_hour) if owned else None,
        owned=owned,
        region=region,
        when=when,
    )


def _rent(gpu: str, when: dt.date, where: Circumstances) -> Estimate | None:
    if where.usd_per_gpu_hour is not None:
        if not (math.isfinite(where.usd_per_gpu_hour) and where.usd_per_gpu_hour >= 0):
            raise InvalidInput(f"usd_per_gpu_hour is {where.usd_per_gpu_hour}; give dollars, 0 or more")
        return exact(where.usd_per_gpu_hour)
    if not has_price(gpu, "rent"):
        return None
    return rent_usd_per_gpu_hour(gpu, when, where.term)


def _owned(full: Draw, gpu: str, when: dt.date, region: Region) -> Owned | None:
    return own(full, gpu, when, region) if has_price(gpu, "buy") else None
