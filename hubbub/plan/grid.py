"""Where electricity comes from: carbon and price by country, US state and cloud region; it knows no load.

`data/grid.csv` condenses Our World in Data, EPA eGRID, EIA, Eurostat, Google's region table and Cloud Carbon
Footprint; each row names its sources.
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache

import msgspec

from hubbub.errors import InvalidInput
from hubbub.plan.estimate import Estimate, within
from hubbub.plan.tables import figure, read_table


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """One grid: a country by its three letters, a state as `us-tn`, a cloud region as `gcp:us-east4`."""

    code: str
    kind: str
    name: str
    g_co2_per_kwh: float
    usd_per_kwh: float | None
    pue: float | None
    source: str

    @property
    def carbon(self) -> Estimate:
        """Grams of CO2 a kWh."""
        return within(self.g_co2_per_kwh, figure("energy.carbon_spread"))

    @property
    def price(self) -> Estimate:
        """Dollars a kWh for a large consumer; the price of the United States where none is known."""
        price = self.usd_per_kwh if self.usd_per_kwh is not None else regions()["usa"].usd_per_kwh
        return within(price or 0.0, figure("energy.price_spread"))


@cache
def regions() -> dict[str, Region]:
    """Return every region by its code."""
    return {row.code: row for row in read_table("grid.csv", Region)}


def find_region(text: str) -> Region:
    """Find a region by its code or its name, whatever the case.

    Raises:
        InvalidInput: none is called so; the message names the nearest.
    """
    known, wanted = regions(), text.strip().lower()
    if wanted in known:
        return known[wanted]
    names = {row.name.lower(): row for row in reversed(known.values()) if row.kind != "cloud"}
    if wanted in names:
        return names[wanted]
    near = get_close_matches(wanted, [*known, *names], n=3, cutoff=0.4)
    tails = [code for code in known if code.partition(":")[2] == wanted]
    told = (
        ", ".join(tails or [names[n].code if n in names else n for n in near]) or "usa, us-tn, gcp:us-east4"
    )
    raise InvalidInput(f"region {text[:40]!r} is not known; nearest are {told}")
