"""A positive figure with its 80% band, and how bands join; it knows no data.

Figures are taken as independent and log-normal to either side, so the logarithms of half-bands add in
quadrature (GUM, JCGM 100:2008, section 5.1).
"""

from __future__ import annotations

import math

import msgspec


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """The likely value, and the two that eight of ten outcomes lie between."""

    low: float
    mid: float
    high: float

    def scaled(self, factor: float) -> Estimate:
        """Multiply by a figure that is known."""
        return Estimate(low=self.low * factor, mid=self.mid * factor, high=self.high * factor)


def exact(value: float) -> Estimate:
    """Return a figure that is known."""
    return Estimate(low=value, mid=value, high=value)


def within(mid: float, factor: float) -> Estimate:
    """Return a figure known to a factor, as 1.1 for ten percent."""
    return Estimate(low=mid / factor, mid=mid, high=mid * factor)


def product(*parts: Estimate) -> Estimate:
    """Multiply independent figures; a zero among them makes zero."""
    mid = math.prod(part.mid for part in parts)
    if mid <= 0:
        return exact(0.0)
    down = math.hypot(*(math.log(part.mid / max(part.low, part.mid * 1e-9)) for part in parts))
    up = math.hypot(*(math.log(part.high / part.mid) for part in parts))
    return Estimate(low=mid * math.exp(-down), mid=mid, high=mid * math.exp(up))


def total(*parts: Estimate) -> Estimate:
    """Add independent figures."""
    mid = sum(part.mid for part in parts)
    down = math.hypot(*(part.mid - part.low for part in parts))
    up = math.hypot(*(part.high - part.mid for part in parts))
    return Estimate(low=mid - down, mid=mid, high=mid + up)


def inverse(part: Estimate) -> Estimate:
    """Return one over a figure; the bounds change places."""
    if part.mid <= 0:
        return exact(math.inf)
    return Estimate(low=1 / part.high, mid=1 / part.mid, high=1 / part.low if part.low > 0 else math.inf)


def predicted(mid: float, others: list[float], t_90: float) -> Estimate:
    """Return a figure with the prediction band of comparable ones: exp(t s sqrt(1 + 1/n)) of logs.

    `t_90` is Student's t at 90% for one degree of freedom less than there are others.
    """
    logs = [math.log(each) for each in others]
    mean = sum(logs) / len(logs)
    spread = math.sqrt(sum((each - mean) ** 2 for each in logs) / (len(logs) - 1))
    return within(mid, math.exp(t_90 * spread * math.sqrt(1 + 1 / len(logs))))
