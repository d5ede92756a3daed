"""How much longer than on a quiet machine a test may wait for what is to happen "within a second"."""

import os


def patient(seconds: float) -> float:
    """Seconds on a quiet machine as seconds on this one: who shares a core with others waits for them."""
    return seconds * max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0)))
