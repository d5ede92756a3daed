"""What the pictures of a month of 100,000 GPUs cost, and one look at a live fleet of that size.

    python -m benchmarks.fleet_page [--gpus 100000] [--days 30] [--out FILE] [--json]

CPU seconds of one process. The jobs are invented (`hubbub.fleet.invented`). A look is what the page does with
a truth once the engine has told it: frame, history, money, expected starts, and the bytes that each viewer
gets.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.report import show
from hubbub.fleet.invented import invented_jobs
from hubbub.fleet.launcher import Truth
from hubbub.fleet.outcome import outcomes_of
from hubbub.fleet.page.recorder import Recorder
from hubbub.fleet.page.replay import replay_of, write_replay
from hubbub.fleet.page.watch import Watch
from hubbub.fleet.policy import Policy
from hubbub.fleet.simulator import simulate
from hubbub.fleet.spec import FleetSpec, Pool, Site, Tenant
from hubbub.fleet.state import FleetState

DAY_S = 86_400.0


class Standing:
    """An engine that always tells the same."""

    url = "standing:"

    def __init__(self, state: FleetState) -> None:
        self.spec, self.state = state.spec, state

    def look(self) -> Truth:
        """Tell it."""
        return Truth(state=self.state, waiting={}, names={})


def fleet_of(gpus: int) -> FleetSpec:
    """A hall at its cap, with failures, and nodes to rent."""
    own = Pool(name="own", num_nodes=gpus // 8, site="hall", busy_kw_per_gpu=1.4, idle_kw_per_gpu=0.45,
               mttf_node_days=263.9)  # fmt: skip
    rented = Pool(name="rented", num_nodes=gpus // 32, is_rented=True, usd_per_gpu_hour=2.1, lead_s=900.0)
    tenants = [Tenant(name="xai", priority=20, guaranteed_gpus=gpus // 2, max_usd_per_gpu_hour=2.5)]
    tenants += [Tenant(name="x", priority=20), Tenant(name="tesla", priority=10)]
    return FleetSpec(
        pools=(own, rented), tenants=tuple(tenants), sites=(Site(name="hall", cap_kw=1.3 * gpus),)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--gpus", type=int, default=100_000)
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    spec, states = fleet_of(given.gpus), []
    jobs = invented_jobs(given.gpus, days=given.days, load=0.9)
    recorder = Recorder(Policy())
    began_s = time.process_time()
    simulate(spec, jobs, until_s=given.days * DAY_S)
    plain_s = time.process_time() - began_s

    def look(state: FleetState) -> None:
        recorder.look(state)
        states[:] = [state]

    began_s = time.process_time()
    result = simulate(spec, jobs, until_s=given.days * DAY_S, look=look, watch=recorder.watch,
                      look_every_s=given.days * DAY_S / 1_000)  # fmt: skip
    recorded_s = time.process_time() - began_s
    with tempfile.TemporaryDirectory() as directory:
        path = given.out or Path(directory) / "month.html"
        told = replay_of(spec, result, recorder, outcomes_of(result), policy="priority")
        num_bytes = write_replay(path, told)
    watch = Watch(lambda: Standing(states[0]))  # type: ignore[arg-type, return-value]
    began_s = time.process_time()
    watch.look()
    look_s = time.process_time() - began_s
    rows = [
        {"what": "report", "value": f"{num_bytes / 1e6:.2f} MB",
         "of": f"{len(jobs):,} jobs, {given.days:g} days"},
        {"what": "replay alone", "value": f"{plain_s:.1f} CPU-s", "of": f"{given.gpus:,} GPUs"},
        {"what": "pictures on top", "value": f"{recorded_s - plain_s:.1f} CPU-s",
         "of": f"{len(recorder.history.moments):,} moments, {len(recorder.frames):,} frames"},
        {"what": "one live look", "value": f"{look_s * 1e3:.0f} CPU-ms",
         "of": f"{len(states[0].claims):,} jobs, {states[0].num_waiting:,} waiting"},
        {"what": "to each viewer", "value": f"{len(watch._latest[1]) / 1e3:.1f} kB", "of": "each look"},
    ]  # fmt: skip
    show(rows, given.json)


if __name__ == "__main__":
    main()
