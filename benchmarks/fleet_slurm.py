"""A real Slurm on this machine: a hundred nodes up, preemption across them, and how right `eta` is.

    python -m benchmarks.fleet_slurm [--nodes 100] [--queue] [--json]

Needs Debian's slurmctld, slurmd and slurm-client. Wall seconds: what is measured is waiting. `--queue` takes
five minutes: jobs whose durations are known (and are their limits) wait for two nodes; what `eta` says when
all are submitted is compared with when they start, and with what `squeue --start` says at the same moment.
Slurm notes starts in whole seconds and looks at its queue every 2 s (bf_interval).
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from benchmarks.report import show
from hubbub.fleet.explain import forecast
from hubbub.fleet.launcher import pretend_fleet
from hubbub.fleet.policy import Policy
from hubbub.fleet.slurm import daemons
from hubbub.fleet.slurm.bring_up import start
from hubbub.fleet.slurm.cluster import Cluster
from hubbub.fleet.spec import FleetSpec, Pool, Tenant

INTERVAL_S, NUM_WAITING = 2.0, 3
QUEUE = (
    ("tesla", 8, 180), ("tesla", 8, 60), ("tesla", 16, 60), ("tesla", 8, 60), ("tesla", 8, 120),
)  # fmt: skip
"""(tenant, GPUs, seconds) in order of submission, for 16 GPUs; the fourth fits into the gap before the third.

Limits are whole minutes in Slurm.
"""


def wait(holds: Callable[[], bool], timeout_s: float = 120.0) -> float:
    """Return how long it took until something held."""
    began_s = time.monotonic()
    if not daemons.until(holds, timeout_s):
        raise SystemExit("it did not happen")
    return time.monotonic() - began_s


def many(directory: Path, num_nodes: int) -> Iterator[dict[str, object]]:
    """Start many nodes, and preempt a job over all of them."""
    began_s, began = time.monotonic(), os.times()
    fleet = pretend_fleet(num_nodes)
    pools = tuple(msgspec.structs.replace(pool, site="") for pool in fleet.pools)
    cluster = start(directory, msgspec.structs.replace(fleet, pools=pools, sites=()))
    try:
        took_s = time.monotonic() - began_s
        bar = "10 s" if num_nodes <= 100 else "-"
        yield row(f"{num_nodes} nodes, {8 * num_nodes} GPUs, up and idle", f"{took_s:.2f} s", bar)
        ended = os.times()
        cpu_s = ended.user + ended.system - began.user - began.system
        yield row("CPU time of `up` itself", f"{cpu_s:.2f} s", "-")
        memory = sum(rss(pid) for pid in daemons.running(directory))
        yield row("memory of all daemons", f"{memory / 2**20:,.0f} MB", "-")
        running = lambda: set(cluster.run("squeue", "-h", "-t", "R", "-o", "%i").split())  # noqa: E731
        low = cluster.submit("tesla", 8 * num_nodes, ["sleep", "600"], expected_s=600)
        yield row("one job over all of them runs after", f"{wait(lambda: low in running()):.2f} s", "-")
        high = cluster.submit("x", 8 * num_nodes, ["sleep", "600"], expected_s=600)
        took_s = wait(lambda: high in running())
        yield row("X before Tesla across all of them", f"{took_s:.2f} s", "2 s" if num_nodes <= 4 else "-")
        began_s = time.monotonic()
    finally:
        cluster.stop()
    yield row("down", f"{time.monotonic() - began_s:.2f} s", "-")


def rss(pid: int) -> int:
    """Return what a process holds of memory that is its own or shared in parts."""
    try:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in told.splitlines() if line.startswith("Pss:"))


def row(what: str, measured: str, bar: str) -> dict[str, object]:
    return {"what": what, "measured": measured, "bar": bar}


def queue(directory: Path) -> Iterator[dict[str, object]]:
    """Let a known queue run, and compare the predicted starts with the real ones."""
    tenants = (Tenant(name="xai", priority=20), Tenant(name="tesla", priority=10))
    cluster = start(directory, FleetSpec(pools=(Pool(name="hall", num_nodes=2),), tenants=tenants))
    try:
        jobs = [submit(cluster, *each) for each in QUEUE]
        wait(lambda: len(planned(cluster)) == NUM_WAITING)
        truth, slurm = cluster.look(), planned(cluster)
        ours = {job: forecast(truth.state, Policy(), job, num_draws=1).start_s or 0.0 for job in slurm}
        real: dict[str, float] = {}
        while len(real) < len(ours):
            claims = cluster.look().state.claims
            real |= {job: claims[job].started_s for job in ours if job in claims and claims[job].pool}
            time.sleep(0.2)
        for (tenant, gpus, run_s), job in zip(QUEUE[-NUM_WAITING:], jobs[-NUM_WAITING:], strict=True):
            waited_s = real[job] - truth.state.now_s
            off_s, bar_s = ours[job] - real[job], max(0.1 * waited_s, INTERVAL_S)
            yield row(
                f"{tenant}, {gpus} GPUs, {run_s} s: waits {waited_s:.0f} s; eta off by (squeue --start by)",
                f"{off_s:+.1f} s ({slurm[job] - real[job]:+.1f} s)",
                f"{bar_s:.1f} s",
            )
            yield row(
                "  eta and squeue --start differ by", f"{ours[job] - slurm[job]:+.1f} s", f"{INTERVAL_S} s"
            )
    finally:
        cluster.stop()


def planned(cluster: Cluster) -> dict[str, float]:
    """Return when Slurm's backfill means to start what waits."""
    claims = cluster.look().state.claims.values()
    return {
        claim.job.id: claim.planned_s for claim in claims if not claim.pool and claim.planned_s < math.inf
    }


def submit(cluster: Cluster, tenant: str, gpus: int, run_s: int) -> str:
    """Submit a job whose duration is known, and is its limit."""
    job = cluster.submit(tenant, gpus, ["sleep", str(run_s)], expected_s=run_s)
    cluster.run("scontrol", "update", f"JobId={job}", f"TimeLimit={run_s // 60}")
    return job


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--queue", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hubbub-bench-") as directory:
        at = Path(directory)
        show([*(queue(at) if options.queue else many(at, options.nodes))], options.json)


if __name__ == "__main__":
    main()
