"""The closed form of the share of time that a failing run spends on work that counts."""

from __future__ import annotations

import math

from hubbub.errors import InvalidInput


def effective_share(interval_s: float, restart_s: float, mttf_s: float) -> float:
    """Return the share of wall time that is work which counts, with failures at any time.

    c / (M e^(r/M) (e^(c/M) - 1)): work between checkpoints c, restart r, mean time to failure M, failures
    exponential and also during restarts (Daly, FGCS 22, 2006, equation 13 without the time to write).

    Raises:
        InvalidInput: a time is not above 0 (a restart may be 0).
    """
    if not (interval_s > 0 and mttf_s > 0 and restart_s >= 0):
        raise InvalidInput(
            f"interval_s {interval_s:g} and mttf_s {mttf_s:g} must be above 0, "
            f"restart_s {restart_s:g} 0 or more"
        )
    return interval_s / (mttf_s * math.exp(restart_s / mttf_s) * math.expm1(interval_s / mttf_s))
