"""What a plan has cost by a day: rent paid, capital used, energy; it knows neither speeds nor tokens."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hubbub.plan.cost import Owned, own, rent_usd_per_gpu_hour
from hubbub.plan.estimate import Estimate, exact, total
from hubbub.plan.scenario import Phase
from hubbub.plan.site import Site, State

DAYS_PER_YEAR = 365.25
TERM_DAYS = {"on-demand": 0.0, "1-year": 365.0, "3-year": 1095.0}


class Stay(msgspec.Struct, frozen=True, kw_only=True):
    """From one day to another, in one state."""

    from_day: float
    until_day: float
    state: State


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """`run_usd` counts owned GPUs by their yearly cost, `cash_usd` by what was paid for them."""

    run_usd: Estimate
    cash_usd: Estimate
    energy_mwh: float


class Ledger:
    """The prices of one plan."""

    def __init__(self, site: Site) -> None:
        self.site = site
        phases = site.plan.phases
        self._rents = [(p, _rent(site, p)) for p in phases if p.how == "rent"]
        num_owned = sum(phase.gpus for phase in phases if phase.how == "own")
        full = site.draw(num_owned) if num_owned else None
        self._owned: list[tuple[Phase, float, Owned]] = []
        for phase in phases:
            if phase.how == "own" and full is not None:
                whole = own(full, site.scenario.gpu, phase.date, site.region, site.scenario.own)
                self._owned.append((phase, phase.gpus / num_owned, whole))

    def bill(self, stays: Sequence[Stay], *, is_final: bool) -> Bill:
        """Return what the stays have cost; at the end, what commitments still take is added."""
        end = stays[-1].until_day if stays else 0.0
        rents = [self._rented(phase, price, stays, is_final) for phase, price in self._rents]
        energy = [
            self.site.usd_per_kwh(stay.from_day).scaled(_mwh(stay) * 1000)
            for stay in stays
            if stay.state.where == "own"
        ]
        capital, paid, opex = [], [], []
        for phase, share, whole in self._owned:
            years = (end - self.site.day(phase.date)) / DAYS_PER_YEAR
            if years > 0:
                capital.append(whole.capital_usd_year.scaled(share * years))
                opex.append(whole.opex_usd_year.scaled(share * years))
                paid.append(whole.capex_usd.scaled(share))
        both = [_joined(rents), _joined(energy), _joined(opex)]
        return Bill(
            run_usd=total(*both, _joined(capital)),
            cash_usd=total(*both, _joined(paid)),
            energy_mwh=sum(_mwh(stay) for stay in stays),
        )

    def _rented(self, phase: Phase, price: Estimate, stays: Sequence[Stay], is_final: bool) -> Estimate:
        first = self.site.day(phase.date)
        last = float("inf") if phase.until is None else self.site.day(phase.until)
        used = sum(
            max(0.0, min(stay.until_day, last) - max(stay.from_day, first))
            for stay in stays
            if stay.state.where != "own"
        )
        is_begun = bool(stays) and stays[-1].until_day > first
        days = max(used, TERM_DAYS[phase.term]) if is_final and is_begun else used
        return price.scaled(phase.gpus * 24 * days)


def _rent(site: Site, phase: Phase) -> Estimate:
    if phase.usd_per_gpu_hour is not None:
        return exact(phase.usd_per_gpu_hour)
    return rent_usd_per_gpu_hour(site.scenario.gpu, phase.date, phase.term)


def _mwh(stay: Stay) -> float:
    return stay.state.mean_mw * (stay.until_day - stay.from_day) * 24


def _joined(parts: Sequence[Estimate]) -> Estimate:
    """Add figures that rise and fall together."""
    low, mid, high = (sum(getattr(p, name) for p in parts) for name in ("low", "mid", "high"))
    return Estimate(low=low, mid=mid, high=high)
