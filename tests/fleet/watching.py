"""Waits for what engines do, and asks what became of a job."""

import time


def until(holds, timeout_s=60.0):
    end_s = time.monotonic() + timeout_s
    while not (found := holds()):
        assert time.monotonic() < end_s
        time.sleep(0.03)
    return found


def ended(fleet, job):
    return until(lambda: fleet.look().ended.get(job))


def runs(fleet, job):
    claim = fleet.look().state.claims.get(job)
    return claim is not None and claim.pool is not None
