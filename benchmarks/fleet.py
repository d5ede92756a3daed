"""The fleet's simulator: recorded jobs, 100,000 GPUs, a grid event, failures beside the closed form.

    python -m benchmarks.fleet [--philly ../shared/data/fleet/philly_2017.csv.gz] [--jobs 1000000] [--json]
    python -m benchmarks.fleet --traces ../shared/data/fleet        (every policy on several clusters' jobs)

CPU seconds of one process. The clusters of Philly and their nodes are those of the simulator of Helios
(github.com/S-Lab-System-Group/HeliosArtifact, philly_vc.csv); jobs larger than their cluster are left out.
Made jobs: six tenants of three priorities, log-normal times, a quarter of the power cut for three hours.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator

import msgspec

from benchmarks.report import show
from hubbub.cli.fleet_simulate import RULES, rules_of
from hubbub.fleet.goodput import effective_share
from hubbub.fleet.invented import invented_jobs
from hubbub.fleet.jobs import Job
from hubbub.fleet.outcome import quantile
from hubbub.fleet.placement import Nodes
from hubbub.fleet.queueing import Order, queue_times
from hubbub.fleet.simulator import simulate
from hubbub.fleet.spec import FleetSpec, GridEvent, Pool, Site, Tenant
from hubbub.fleet.trace import read_trace

PHILLY_NODES = {
    "6214e9": 64, "7f04ca": 32, "11cb48": 16, "b436b2": 64, "ee9e8c": 64, "e13805": 16,
    "6c71a0": 32, "2869ce": 16, "ed69ec": 8, "103959": 8, "0e4a51": 32,
}  # fmt: skip
ORDERS: tuple[Order, ...] = ("fifo", "sjf")
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256), (600, 80, 80, 160, 40, 20, 10, 6, 4)
"""GPUs of made jobs and how many of each: mean 6.1 (Philly's mean is 1.3)."""
DAY_S = 86_400.0
LLAMA3_MTTF_S = 3.09 * 3_600
"""Of 16,384 GPUs: 419 unexpected interruptions in 54 days (arXiv 2407.21783)."""


def philly(path: str) -> Iterator[dict[str, object]]:
    """Replay every virtual cluster by itself, as Helios does."""
    jobs = read_trace(path).jobs
    clusters = {
        name: [job for job in jobs if job.tenant.endswith(name) and job.gpus <= 8 * num_nodes]
        for name, num_nodes in PHILLY_NODES.items()
    }
    for order in ORDERS:
        began_s, waits = time.process_time(), []
        for name, own in clusters.items():
            waits += queue_times(own, Nodes(PHILLY_NODES[name]), order)
        spent_s = time.process_time() - began_s
        mean_s = sum(waits) / len(waits)
        yield {
            "what": f"Philly, {len(waits):,} jobs, {order} (mean wait {mean_s:.1f} s): jobs a CPU s",
            "measured": f"{len(waits) / spent_s:,.0f}",
            "bar": "100,000" if order == "fifo" else "-",
        }


def made_jobs(num_jobs: int, days: float) -> list[Job]:
    """Make jobs over so many days."""
    draw, at_s, jobs = random.Random(1), 0.0, []
    for n in range(num_jobs):
        at_s += draw.expovariate(num_jobs / (days * DAY_S))
        tenant = draw.randrange(6)
        jobs.append(
            Job(
                id=str(n),
                tenant=f"t{tenant}",
                priority=tenant % 3,
                gpus=draw.choices(*SIZES)[0],
                submit_s=at_s,
                run_s=draw.lognormvariate(8, 1.5),
                checkpoint_s=1_800,
                restart_s=300,
            )
        )
    return jobs


def hundred_thousand(num_jobs: int, load: float) -> Iterator[dict[str, object]]:
    """Replay made jobs on 100,000 GPUs under 150 MW, wanted `load` times over."""
    work = sum(job.gpus * job.run_s for job in made_jobs(5_000, 1)) / 5_000 * num_jobs
    days = work / (load * 100_000 * DAY_S)
    jobs = made_jobs(num_jobs, days)
    hall = Pool(
        name="hall",
        num_nodes=12_500,
        site="hall",
        busy_kw_per_gpu=1.4,
        idle_kw_per_gpu=0.4,
        mttf_node_days=263.9,
    )
    spec = FleetSpec(
        pools=(hall,),
        sites=(Site(name="hall", cap_kw=150_000),),
        tenants=tuple(Tenant(name=f"t{n}", priority=n % 3) for n in range(6)),
        grid_events=(GridEvent(site="hall", start_s=days / 2 * DAY_S, duration_s=10_800, cut=0.25),),
    )
    began_s = time.process_time()
    told = simulate(spec, jobs)
    spent_s = time.process_time() - began_s
    top = sum(claim.num_preempted for claim in told.finished if claim.job.priority == 2)
    yield {
        "what": f"100,000 GPUs, {num_jobs:,} jobs in {days:.1f} days, load {load}, {told.num_preemptions:,} "
        f"preemptions, {told.num_failures:,} failures: jobs a CPU s",
        "measured": f"{num_jobs / spent_s:,.0f}",
        "bar": "25,000",
    }
    yield {
        "what": "the same: CPU s in all",
        "measured": f"{spent_s:.1f}",
        "bar": "60 for 1,000,000" if num_jobs >= 1_000_000 else "-",
    }
    yield {
        "what": "the same: above the cap at any event, kW",
        "measured": f"{told.over_cap_kw:g}",
        "bar": "0",
    }
    yield {"what": "the same: preemptions of the top priority", "measured": f"{top}", "bar": "0"}


def goodput() -> Iterator[dict[str, object]]:
    """Replay one long run of Llama 3's failures; then the table for 100,000 GPUs."""
    nodes, days = 64, 600.0
    for interval_s, restart_s in ((600, 300), (1_800, 600)):
        pool = Pool(
            name="own",
            num_nodes=nodes + 8,
            mttf_node_days=LLAMA3_MTTF_S / DAY_S * nodes,
            repair_s=3_600,
        )
        job = Job(
            id="run",
            tenant="a",
            gpus=8 * nodes,
            submit_s=0,
            run_s=days * DAY_S,
            checkpoint_s=interval_s,
            restart_s=restart_s,
        )
        (claim,) = simulate(FleetSpec(pools=(pool,)), [job]).finished
        assert claim.finished_s is not None
        share, form = job.run_s / claim.finished_s, effective_share(interval_s, restart_s, LLAMA3_MTTF_S)
        yield {
            "what": f"Llama 3: checkpoint {interval_s} s, restart {restart_s} s: goodput / closed form",
            "measured": f"{share:.4f} / {form:.4f}",
            "bar": "within .005" + (", > .90" if interval_s == 600 else ""),
        }
    mttf_s = LLAMA3_MTTF_S * 16_384 / 100_000
    for interval_s, restart_s in ((1_800, 600), (600, 300), (300, 180), (60, 60), (30, 20)):
        yield {
            "what": f"100,000 GPUs, a failure every {mttf_s / 60:.0f} min: {interval_s} / {restart_s} s",
            "measured": f"{effective_share(interval_s, restart_s, mttf_s):.3f}",
            "bar": "-",
        }


def traces(directory: str, load: float, num_jobs: int) -> Iterator[dict[str, object]]:
    """Replay recorded jobs of several clusters under every policy, on a fleet wanted `load` times over.

    No job says what it will take: sjf and srtf look at what it took, the others at nothing.
    """
    sets = {
        "Philly 2017": read_trace(f"{directory}/philly_2017.csv.gz").jobs,
        "Alibaba 2023": read_trace(f"{directory}/alibaba_openb_2023.csv.gz").jobs,
        "an invented week": invented_jobs(4_096),
        "made": made_jobs(5_000, 2.0),
    }
    for name, jobs in sets.items():
        # what a restart costs was not recorded: five minutes, of which no policy is free
        own = [
            msgspec.structs.replace(job, priority=0, expected_s=None, restart_s=300.0)
            for job in jobs[:num_jobs]
        ]
        span_s = max(job.submit_s for job in own) - own[0].submit_s
        wanted = sum(job.gpus * job.run_s for job in own) / span_s / load
        num_nodes = -(-max(int(wanted), *(job.gpus for job in own)) // 8)
        spec = FleetSpec(pools=(Pool(name="own", num_nodes=num_nodes),))
        for policy in RULES:
            ended = simulate(spec, own, rules_of(policy)).finished
            waits = sorted(claim.waited_s / 3_600 for claim in ended)
            whole = sorted(((claim.finished_s or 0.0) - claim.job.submit_s) / 3_600 for claim in ended)
            yield {
                "trace": f"{name}: {len(ended):,} jobs, {8 * num_nodes:,} GPUs" if policy == "las" else "",
                "policy": policy,
                "wait h, mean": f"{sum(waits) / len(waits):.2f}",
                "wait h, 95 %": f"{quantile(waits, 0.95):.2f}",
                "wait h, longest": f"{waits[-1]:.0f}",
                "finish h, mean": f"{sum(whole) / len(whole):.2f}",
                "finish h, 95 %": f"{quantile(whole, 0.95):.2f}",
                "preempted": f"{sum(claim.num_preempted for claim in ended):,}",
            }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--philly", help="Philly's trace")
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--load", type=float, default=1.0)
    parser.add_argument("--traces", help="A folder of traces: every policy on each, and nothing else")
    parser.add_argument("--trace-jobs", type=int, default=8_000, help="Of each trace, at most")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.traces:
        show(list(traces(args.traces, min(args.load, 0.9), args.trace_jobs)), args.json)
        return
    rows = [
        *(philly(args.philly) if args.philly else ()),
        *hundred_thousand(args.jobs, args.load),
        *goodput(),
    ]
    show(rows, args.json)


if __name__ == "__main__":
    main()
