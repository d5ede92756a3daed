"""Notices a feed that has fallen silent or thin behind a healthy connection, collection by collection."""

from __future__ import annotations

from collections.abc import Callable

from hubbub.stream.live.link import Disconnected
from hubbub.stream.vitals import MAX_KINDS, Rate, State, Vitals
from hubbub.units import US_PER_S, now_us

MISSED = 30.0
"""A collection is silent when so many events are overdue: for independent events the odds of that are e^-30;
the margin is for feeds that come in bursts."""
LEAST_S = 10.0
"""No shorter silence counts."""
LEAST_EVENTS = 100
"""A collection of which fewer have come has no usual rate yet; a quiet private network never raises alarm."""
LEARN_S = 30.0
THIN_SHARE, WELL_SHARE = 0.2, 0.5
"""A collection is thin below a fifth of its usual rate, and well again above a half: a night's dip halves the
rate in hours, and what is usual follows in half an hour."""
THIN_S = 60.0
"""No shorter thinness counts."""
LEAST_PER_S = 100 / 60
"""Of slower collections too few come in a minute to call them thin."""
EVERY_S = 1.0


class Canary:
    """Counts by collection, and keeps the rates among a source's vitals; survives reconnecting."""

    def __init__(self, vitals: Vitals, clock: Callable[[], int] = now_us) -> None:
        self._vitals, self._clock = vitals, clock
        self._counted: dict[str, int] = {}
        self._since_us = clock()
        self._low_since_us: dict[str, int] = {}
        """Since when a collection has been below what it must reach again."""
        self._patience_us: dict[str, int] = {}

    def resume(self) -> None:
        """Note that a connection begins: what did not come while there was none, nobody missed."""
        at_us = self._clock()
        away_us = max(0, at_us - self._since_us)
        for rate in self._vitals.rates.values():
            rate.last_us += away_us
        self._low_since_us = {kind: us + away_us for kind, us in self._low_since_us.items()}
        self._since_us = at_us

    def count(self, kind: str) -> None:
        """Note that an event of this kind has come."""
        self._counted[kind] = self._counted.get(kind, 0) + 1

    def check(self) -> None:
        """Update the rates, and the state by whether anything is silent or thin.

        Raises:
            Disconnected: that calls for a new connection.
        """
        alarms = self.look()
        if self._vitals.state in ("live", "silent", "thin"):
            trouble: State = "silent" if self._vitals.silent else "thin"
            is_well = not self._vitals.silent and not self._vitals.thin
            self._vitals.enter("live" if is_well else trouble, self._clock())
        if alarms:
            raise Disconnected(f"far too little has come of {', '.join(alarms)} for too long")

    def look(self) -> list[str]:
        """Update the rates once a second; return those whose silence calls for a new connection.

        Each alarm for the same trouble is twice as long in coming as the one before.
        """
        at_us = self._clock()
        elapsed_s = (at_us - self._since_us) / US_PER_S
        if 0 <= elapsed_s < EVERY_S:
            return []
        self._since_us = at_us
        if elapsed_s < 0:
            return []  # our own clock was set back
        self._update(elapsed_s, at_us)
        rates = self._vitals.rates
        self._vitals.silent = sorted(
            kind for kind, rate in rates.items() if num_overdue(rate, at_us) > MISSED
        )
        self._vitals.thin = self._thin(at_us)
        troubled = {*self._vitals.silent, *self._vitals.thin}
        self._patience_us = {kind: self._patience_us.get(kind, 0) for kind in sorted(troubled)}
        alarms = []
        for kind, patience_us in self._patience_us.items():
            since_us = min(rates[kind].last_us, self._low_since_us.get(kind, at_us))
            if at_us - since_us >= patience_us:
                self._patience_us[kind] = 2 * (at_us - since_us)
                alarms.append(kind)
        return alarms

    def _update(self, elapsed_s: float, at_us: int) -> None:
        rates, counted, self._counted = self._vitals.rates, self._counted, {}
        for kind, number in list(counted.items()):
            if kind not in rates and len(rates) >= MAX_KINDS:
                counted["other"] = counted.get("other", 0) + number
                kind = "other"
            rates.setdefault(kind, Rate())
        # A replay says nothing of what is usual.
        is_usual = self._vitals.state != "catching up"
        doubted = {*self._vitals.silent, *self._vitals.thin}
        for kind, rate in rates.items():
            rate.update(counted.get(kind, 0), elapsed_s, at_us, is_usual=is_usual, is_doubted=kind in doubted)

    def _thin(self, at_us: int) -> list[str]:
        """Return the collections that have been thin for long enough, or have not recovered since."""
        if self._vitals.state == "catching up":
            return self._vitals.thin
        thin = []
        for kind, rate in self._vitals.rates.items():
            share = WELL_SHARE if kind in self._vitals.thin else THIN_SHARE
            if not is_low(rate, share):
                self._low_since_us.pop(kind, None)
            elif at_us - self._low_since_us.setdefault(kind, at_us) >= THIN_S * US_PER_S:
                thin.append(kind)
        return sorted(thin)


def num_overdue(rate: Rate, now_us: int) -> float:
    """Tell how many events of a kind should have come since the last one; 0 where that may be chance."""
    silence_s = (now_us - rate.last_us) / US_PER_S
    if rate.number < LEAST_EVENTS or rate.age_s < LEARN_S or silence_s < LEAST_S:
        return 0.0
    return rate.usual_per_s * silence_s


def is_low(rate: Rate, share: float) -> bool:
    """Tell whether less than a share of the usual number comes; never of what is new or slow."""
    if rate.age_s < LEARN_S or rate.usual_per_s < LEAST_PER_S:
        return False
    return rate.recent_per_s < share * rate.usual_per_s
