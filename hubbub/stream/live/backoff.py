"""How long to wait before the next attempt to connect; it does not wait itself."""

from __future__ import annotations

import random

from hubbub.stream.live.link import Disconnected, Refused

FIRST_S = 0.5
LONGEST_S = 60.0
_STEADY_S = 60.0
"""A connection that has held this long was a good one: the next break starts again from the first wait."""


class Backoff:
    """Doubles the wait with each failure in a row, and draws it at random from the upper half.

    Drawing keeps a thousand followers from coming back at the same moment (AWS Architecture Blog,
    "Exponential Backoff And Jitter", 2015).
    """

    def __init__(self, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._failures = 0

    def wait_s(self, error: Disconnected, held_s: float) -> float:
        """Tell how long to wait after a connection that held for `held_s` broke, or was not opened at all."""
        if held_s > min(_STEADY_S, 20 * self._first_s):
            self._failures = 0
        whole_s = min(self._longest_s, self._first_s * 2 ** min(self._failures, 30))
        self._failures += 1
        drawn_s = random.uniform(whole_s / 2, whole_s)
        asked_s = error.retry_s if isinstance(error, Refused) else None
        return max(drawn_s, asked_s or 0.0)
