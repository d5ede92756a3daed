"""Notices a feed that has fallen silent though the connection looks healthy, collection by collection."""

from __future__ import annotations

from collections.abc import Callable

from hubbub.stream.live.link import Disconnected
from hubbub.stream.vitals import MAX_KINDS, Rate, Vitals
from hubbub.units import US_PER_S, now_us

MISSED = 30.0
"""A collection is silent when so many events are overdue: for independent events the odds of that are e^-30;
the margin is for feeds that come in bursts."""
LEAST_S = 10.0
"""No shorter silence counts."""
LEAST_EVENTS = 100
"""A collection of which fewer have come has no usual rate yet; a quiet private network never raises alarm."""
LEARN_S = 30.0
EVERY_S = 1.0


class Canary:
    """Counts by collection, and keeps the rates among a source's vitals; survives reconnecting."""

    def __init__(self, vitals: Vitals, clock: Callable[[], int] = now_us) -> None:
        self._vitals, self._clock = vitals, clock
        self._counted: dict[str, int] = {}
        self._since_us = clock()
        self._patience_us: dict[str, int] = {}

    def count(self, kind: str) -> None:
        """Note that an event of this kind has come."""
        self._counted[kind] = self._counted.get(kind, 0) + 1

    def check(self) -> None:
        """Update the rates, and the state by whether anything is silent.

        Raises:
            Disconnected: the silence calls for a new connection.
        """
        alarms = self.look()
        if self._vitals.state in ("live", "silent"):
            self._vitals.enter("silent" if self._vitals.silent else "live", self._clock())
        if alarms:
            raise Disconnected(f"nothing has come of {', '.join(alarms)} for too long")

    def look(self) -> list[str]:
        """Update the rates once a second; return those whose silence calls for a new connection.

        Each alarm for the same silence is twice as long in coming as the one before.
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
        self._patience_us = {kind: self._patience_us.get(kind, 0) for kind in self._vitals.silent}
        alarms = []
        for kind, patience_us in self._patience_us.items():
            silence_us = at_us - rates[kind].last_us
            if silence_us >= patience_us:
                self._patience_us[kind] = 2 * silence_us
                alarms.append(kind)
        return alarms

    def _update(self, elapsed_s: float, at_us: int) -> None:
        rates, counted, self._counted = self._vitals.rates, self._counted, {}
        for kind, number in list(counted.items()):
            if kind not in rates and len(rates) >= MAX_KINDS:
                counted["other"] = counted.get("other", 0) + number
                kind = "other"
            rates.setdefault(kind, Rate())
        for kind, rate in rates.items():
            rate.update(counted.get(kind, 0), elapsed_s, at_us)


def num_overdue(rate: Rate, now_us: int) -> float:
    """Tell how many events of a kind should have come since the last one; 0 where that may be chance."""
    silence_s = (now_us - rate.last_us) / US_PER_S
    if rate.number < LEAST_EVENTS or rate.age_s < LEARN_S or silence_s < LEAST_S:
        return 0.0
    # The usual rate is what it was before the silence: the mean over USUAL_S has since sunk only a little.
    return rate.usual_per_s * silence_s
