"""What GPUs cost: rented by date and term, owned by capital, energy and upkeep, and when owning overtakes.

It knows neither time nor failures. Prices are dated quotes (`data/prices.csv`), the rest `capex.*`, `own.*`.
"""

from __future__ import annotations

import math
from datetime import date
from difflib import get_close_matches
from functools import cache

import msgspec

from hubbub.errors import InvalidInput
from hubbub.plan.estimate import Estimate, exact, product, total
from hubbub.plan.grid import Region
from hubbub.plan.power import Draw
from hubbub.plan.tables import bounded, figure, read_table

HOURS_PER_YEAR = 8766.0
TERMS = ("on-demand", "1-year", "3-year")


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """Quotes of one GPU in one year; the band is theirs, or pooled over all where there are few."""

    gpu: str
    kind: str
    term: str
    year: int
    low_usd: float
    mid_usd: float
    high_usd: float
    num_quotes: int
    band: str
    source: str

    @property
    def usd(self) -> Estimate:
        """The price with its band."""
        return Estimate(low=self.low_usd, mid=self.mid_usd, high=self.high_usd)


class OwnTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Assumptions of owning that one's own accountants know better; left out, the published ones."""

    gpu_usd: float | None = None
    hall_usd_per_mw: float | None = None
    life_years: float | None = None
    residual: float | None = None
    interest: float | None = None
    opex_share: float | None = None

    def __post_init__(self) -> None:
        """Refuse figures that cannot be."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            lowest = 1e-9 if name in ("gpu_usd", "life_years") else 0.0
            if value is not None and not (math.isfinite(value) and value >= lowest):
                raise InvalidInput(
                    f"own.{name} is {value}; give a number from {lowest:g} up, or leave it out"
                )
        if self.residual is not None and self.residual >= 1:
            raise InvalidInput(f"own.residual is {self.residual}; what is left of the price is under 1")


class Owned(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of owning a cluster: what is paid at first, and what a year then takes."""

    num_gpus: int
    compute_usd: Estimate
    hall_usd: Estimate
    energy_usd_year: Estimate
    opex_usd_year: Estimate
    capital_usd_year: Estimate

    @property
    def capex_usd(self) -> Estimate:
        """Servers, network and hall."""
        return total(self.compute_usd, self.hall_usd)

    @property
    def running_usd_year(self) -> Estimate:
        """Energy and upkeep: what goes on being paid."""
        return total(self.energy_usd_year, self.opex_usd_year)

    @property
    def usd_per_gpu_hour(self) -> Estimate:
        """All of it, spread over the hours that the GPUs stand."""
        year = total(self.capital_usd_year, self.running_usd_year)
        return year.scaled(1 / self.num_gpus / HOURS_PER_YEAR)


@cache
def prices() -> list[Price]:
    """Return every dated price."""
    return read_table("prices.csv", Price)


def crf(interest: float, years: float) -> float:
    """Return the capital recovery factor: the yearly payment for 1 borrowed, i (1+i)^n / ((1+i)^n - 1)."""
    if interest <= 0:
        return 1 / years
    return interest / -math.expm1(-years * math.log1p(interest))


def rent_usd_per_gpu_hour(gpu: str, when: date, term: str = "on-demand") -> Estimate:
    """Return the rent of one GPU for an hour, by the year's quotes or the nearest year's.

    Commitments take the published discounts off the on-demand price, whose quotes are many more.

    Raises:
        InvalidInput: the term or the GPU is unknown.
    """
    if term not in TERMS:
        raise InvalidInput(f"term {term!r} is not known; choose one of {', '.join(TERMS)}")
    price = find_price(gpu, "rent", when)
    if term == "on-demand":
        return price.usd
    return product(price.usd, bounded("rent.one_year" if term == "1-year" else "rent.three_year"))


def has_price(gpu: str, kind: str) -> bool:
    """Tell whether any quote of a GPU is known; `kind` is rent or buy."""
    return any(price.gpu == _family(gpu) and price.kind == kind for price in prices())


def find_price(gpu: str, kind: str, when: date) -> Price:
    """Return the quotes of the year nearest to a date; `kind` is rent (on demand) or buy.

    Raises:
        InvalidInput: there are none for that GPU; the message names those that have some.
    """
    wanted = _family(gpu)
    rows = [p for p in prices() if p.kind == kind and p.term in ("on-demand", "purchase")]
    found = [p for p in rows if p.gpu == wanted]
    if not found:
        names = sorted({p.gpu for p in rows})
        near = get_close_matches(wanted, names, n=1, cutoff=0.4)
        told = f"nearest is {near[0]}; " if near else ""
        raise InvalidInput(
            f"no {kind} price of {gpu[:40]!r} is known; {told}give one, or take {', '.join(names)}"
        )
    return min(found, key=lambda p: (abs(p.year - when.year), -p.year))


def _family(gpu: str) -> str:
    """Return the name that prices go by: a100 for a100-80."""
    name = gpu.strip().lower()
    known = {price.gpu for price in prices()}
    return name if name in known else next((each for each in known if name.startswith(f"{each}-")), name)


def volume_factor(num_gpus: int) -> Estimate:
    """Return what a large order pays of the list price: Colossus 1's at 100,000, less in the log below."""
    start, at = figure("capex.volume_from_gpus"), bounded("capex.volume_at_100k")
    share = min(1.0, max(0.0, math.log(max(num_gpus, 1) / start) / math.log(1e5 / start)))
    low, mid, high = (1 - (1 - bound) * share for bound in (at.low, at.mid, at.high))
    return Estimate(low=low, mid=mid, high=high)


def own(full: Draw, gpu: str, when: date, region: Region, terms: OwnTerms | None = None) -> Owned:
    """Return the cost of owning the cluster of a draw, bought at a date, in a region.

    Compute is the GPUs' share of their servers by quotes, over one less the network's share. Capital is paid
    back over the life by CRF, less what is left at its end; the hall lives longer.

    Raises:
        InvalidInput: no purchase price of the GPU is known and none is given.
    """
    terms = terms or OwnTerms()
    per_gpu = find_price(gpu, "buy", when).usd if terms.gpu_usd is None else exact(terms.gpu_usd)
    compute = product(per_gpu, volume_factor(full.num_gpus) if terms.gpu_usd is None else exact(1.0))
    compute = compute.scaled(full.num_gpus / (1 - figure("capex.interconnect_share")))
    per_mw = (
        bounded("capex.hall_usd_per_mw") if terms.hall_usd_per_mw is None else exact(terms.hall_usd_per_mw)
    )
    hall = product(per_mw, full.provisioned_mw)
    energy = product(full.mean_mw, region.price).scaled(1000 * HOURS_PER_YEAR)
    upkeep = compute.scaled(_term(terms.opex_share, "own.opex_share"))
    repaid_hall = crf(_term(terms.interest, "own.interest"), figure("own.hall_life_years"))
    kw_months = figure("own.hall_opex_usd_per_kw_month") * 12 * 1000 * full.provisioned_mw.mid
    return Owned(
        num_gpus=full.num_gpus,
        compute_usd=compute,
        hall_usd=hall,
        energy_usd_year=energy,
        opex_usd_year=total(upkeep, exact(kw_months)),
        capital_usd_year=total(_repaid(compute, terms), hall.scaled(repaid_hall)),
    )


def _repaid(compute: Estimate, terms: OwnTerms) -> Estimate:
    interest, years = _term(terms.interest, "own.interest"), _term(terms.life_years, "own.life_years")
    left = bounded("own.residual") if terms.residual is None else exact(terms.residual)
    now = math.exp(-years * math.log1p(interest))
    factors = sorted(crf(interest, years) * (1 - bound * now) for bound in (left.low, left.mid, left.high))
    return product(compute, Estimate(low=factors[0], mid=factors[1], high=factors[2]))


def _term(given: float | None, key: str) -> float:
    return figure(key) if given is None else given


def owned_usd(owned: Owned, years: float, terms: OwnTerms | None = None) -> Estimate:
    """Return what has been paid after `years`, less what the cluster could then be sold for.

    Compute falls to its residual by equal shares of itself a year; the hall falls in a line over its life.
    """
    terms = terms or OwnTerms()
    left = _term(terms.residual, "own.residual")
    life = _term(terms.life_years, "own.life_years")
    worth = math.exp(math.log(left) * years / life) if left > 0 else float(years == 0)
    hall = max(0.0, 1 - years / figure("own.hall_life_years"))
    return total(
        owned.compute_usd.scaled(1 - worth),
        owned.hall_usd.scaled(1 - hall),
        owned.running_usd_year.scaled(years),
    )


def break_even_months(owned: Owned, rent_usd_per_gpu_hour: Estimate) -> Estimate:
    """Return after how many months all rent paid would have bought the cluster and run it; inf for never.

    Nothing is sold in the end: capex / (rent - running). The band moves capex and rent one at a time.
    """
    capex, hours = owned.capex_usd, owned.num_gpus * HOURS_PER_YEAR

    def months(capex_usd: float, rent_usd: float) -> float:
        saved = rent_usd * hours - owned.running_usd_year.mid
        return capex_usd / saved * 12 if saved > 0 else math.inf

    rent = rent_usd_per_gpu_hour
    mid = months(capex.mid, rent.mid)
    if not math.isfinite(mid):
        return exact(math.inf)
    down = math.hypot(mid - months(capex.low, rent.mid), mid - months(capex.mid, rent.high))
    up = math.hypot(months(capex.high, rent.mid) - mid, months(capex.mid, rent.low) - mid)
    return Estimate(low=max(0.0, mid - down), mid=mid, high=mid + up)
