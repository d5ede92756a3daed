"""Processes of this machine as a fleet: how soon jobs start and give way, what leading costs, nothing lost.

    python -m benchmarks.fleet_local [--rounds 20] [--jobs 200] [--kills 100] [--json]

Wall seconds where waiting is what is measured; CPU seconds of the supervisor from /proc.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.report import show
from hubbub.fleet.explain import forecast
from hubbub.fleet.launcher import pretend_fleet
from hubbub.fleet.local.launcher import Local, lead, start_local
from hubbub.fleet.local.supervisor import is_led
from hubbub.fleet.policy import Policy

_NOTE = (
    "import os, sys, time; print(os.environ['HUBBUB_ATTEMPT'], flush=True); time.sleep(float(sys.argv[1]))"
)
_TICKS = os.sysconf("SC_CLK_TCK")


def wait(holds: Callable[[], bool], timeout_s: float = 120.0) -> float:
    """Return how long it took until something held."""
    began_s = time.monotonic()
    while not holds():
        if time.monotonic() - began_s > timeout_s:
            raise SystemExit("it did not happen")
        time.sleep(0.002)
    return time.monotonic() - began_s


def runs(fleet: Local, job: str) -> bool:
    """Tell whether a job has its GPUs."""
    claim = fleet.look().state.claims.get(job)
    return claim is not None and claim.pool is not None


def is_empty(fleet: Local) -> bool:
    """Tell whether no job is left."""
    return not fleet.look().state.claims


def leader_of(fleet: Local) -> int:
    """Return the number of the supervisor's process."""
    return int((fleet.directory / "supervisor.lock").read_text())


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def latencies(fleet: Local, rounds: int) -> Iterator[dict[str, object]]:
    """Measure hand-in, start, giving way and ending, over and over on all 4 nodes."""
    took: dict[str, list[float]] = {"submit returns": [], "running": [], "X before Tesla": [], "all gone": []}
    for _ in range(rounds):
        began_s = time.monotonic()
        weak = fleet.submit("tesla", 32, ["sleep", "60"])
        took["submit returns"].append(time.monotonic() - began_s)
        took["running"].append(wait(partial(runs, fleet, weak)))
        time.sleep(0.2)
        strong = fleet.submit("x", 32, ["sleep", "60"])
        took["X before Tesla"].append(wait(partial(runs, fleet, strong)))
        fleet.cancel(weak)
        fleet.cancel(strong)
        took["all gone"].append(wait(lambda: is_empty(fleet)))
    for what, values in took.items():
        told = f"{statistics.median(values) * 1e3:.0f} ms, at most {max(values) * 1e3:.0f} ms"
        yield row(f"gang of 4 nodes: {what}", told, "2 s" if what == "X before Tesla" else "-")


def throughput(fleet: Local, num_jobs: int) -> Iterator[dict[str, object]]:
    """Pass many empty jobs, then idle."""
    pid = leader_of(fleet)
    began_s, began_cpu_s = time.monotonic(), cpu_s(pid)
    for _ in range(num_jobs):
        fleet.submit("x", 1, ["true"])
    wait(lambda: is_empty(fleet), 600)
    took_s, used_s = time.monotonic() - began_s, cpu_s(pid) - began_cpu_s
    yield row(f"{num_jobs} jobs of `true`", f"{num_jobs / took_s:.0f} a second", "-")
    yield row("the supervisor's CPU a job", f"{used_s / num_jobs * 1e3:.1f} ms", "-")
    job = fleet.submit("x", 8, ["sleep", "60"])
    wait(lambda: runs(fleet, job))
    began_cpu_s = cpu_s(pid)
    time.sleep(10)
    yield row(
        "the supervisor's CPU while one job runs", f"{(cpu_s(pid) - began_cpu_s) * 10:.2f} % of a core", "-"
    )
    fleet.cancel(job)
    wait(lambda: is_empty(fleet))


def kills(fleet: Local, num_kills: int, seed: int) -> Iterator[dict[str, object]]:
    """Kill the supervisor while jobs and gangs pass."""
    draw, jobs, killed = random.Random(seed), dict[str, int](), 0
    while killed < num_kills:
        gpus = draw.choice([4, 8, 16])
        command = [sys.executable, "-S", "-c", _NOTE, str(draw.random() / 2)]
        jobs[fleet.submit("x", gpus, command)] = -(-gpus // 8)
        time.sleep(draw.random() * 0.1)
        if is_led(fleet.directory):
            os.kill(leader_of(fleet), signal.SIGKILL)
            wait(lambda: not is_led(fleet.directory))
            killed += 1
        lead(fleet.directory)
    wait(lambda: is_empty(fleet), 300)
    ended = fleet.look().ended
    wrong = [
        job
        for job, ranks in jobs.items()
        if ended.get(job) != "is done" or fleet.output_of(job).read_text().split() != ["1"] * ranks
    ]
    told = f"{len(wrong)} of {len(jobs)} jobs not run exactly once"
    yield row(f"{killed} times kill -9 of the supervisor", told, "0")


def etas(fleet: Local) -> Iterator[dict[str, object]]:
    """Compare the starts that `eta` tells of a queue of known durations with the real ones."""
    plan = [("tesla", 32, 8), ("tesla", 16, 12), ("tesla", 16, 16), ("tesla", 32, 8), ("tesla", 8, 8)]
    jobs = [fleet.submit(who, gpus, ["sleep", str(s)], expected_s=float(s)) for who, gpus, s in plan]
    wait(lambda: runs(fleet, jobs[0]))
    state, now_s = fleet.look().state, time.time()
    told = {job: forecast(state, Policy(), job, num_draws=1).start_s for job in jobs[1:]}
    real: dict[str, float] = {}
    while len(real) < len(told):
        for job, claim in fleet.look().state.claims.items():
            if claim.pool is not None and job in told:
                real.setdefault(job, claim.started_s)
        time.sleep(0.01)
    off = [abs(real[job] - start_s) / (real[job] - now_s) for job, start_s in told.items() if start_s]
    yield row("`eta` against the real start, durations known", f"at most {100 * max(off):.1f} % off", "10 %")
    wait(lambda: is_empty(fleet))


def row(what: str, value: str, bar: str) -> dict[str, object]:
    """Return a line of the table."""
    return {"what": what, "measured": value, "bar": bar}


def main() -> None:
    """Measure one fleet after another in a directory of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        fleet = start_local(Path(directory) / "fleet", pretend_fleet())
        try:
            rows = [*latencies(fleet, options.rounds), *throughput(fleet, options.jobs), *etas(fleet)]
            rows += kills(fleet, options.kills, options.seed)
        finally:
            fleet.stop()
    show(rows, options.json)


if __name__ == "__main__":
    main()
