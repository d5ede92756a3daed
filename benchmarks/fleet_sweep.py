"""Sweeps of fleet sizes, leaf-aware placement, and what finding lemon nodes is worth.

    python -m benchmarks.fleet_sweep [--philly ../shared/data/fleet/philly_2017.csv.gz] [--days 60] [--json]

CPU seconds of one process, compilation apart; jobs a CPU second are the best of three. Lemons: one run on
16,384 GPUs with spare nodes, failing as Llama 3's did; 1.2 % of the nodes fail 30 times as often. That there
are such nodes is published (arXiv 2410.21680); share and factor are assumed here.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from statistics import median

import numpy as np

from benchmarks.fleet import made_jobs
from benchmarks.report import show
from hubbub.fleet.actions import Action, Drain
from hubbub.fleet.jobs import Job
from hubbub.fleet.placement import Nodes
from hubbub.fleet.policy import Policy
from hubbub.fleet.queueing import queue_times
from hubbub.fleet.simulator import simulate
from hubbub.fleet.spec import FleetSpec, Pool
from hubbub.fleet.state import FleetState
from hubbub.fleet.sweep import Order, Sweep
from hubbub.fleet.trace import read_trace

DAY_S = 86_400.0
ORDERS: tuple[Order, ...] = ("fifo", "sjf")
SIZES = [512 + 64 * n for n in range(10)]
LOADS = (0.8, 0.9, 1.0, 1.1, 1.2)
NUM_LEAF_GANGS = 20_000
LEMON_SHARE, LEMON_FACTOR = 0.012, 30.0


def compiled(num_jobs: int) -> Iterator[dict[str, object]]:
    """Replay made jobs on 100,000 GPUs, after one replay that compiles."""
    days = sum(job.gpus * job.run_s for job in made_jobs(5_000, 1)) / 5_000 * num_jobs / (100_000 * DAY_S)
    jobs = made_jobs(num_jobs, days)
    began_s = time.process_time()
    made = Sweep(jobs)
    Sweep(jobs[:100]).row(made.fewest_gpus, "fifo")
    yield {
        "what": "compiling or loading the compiled code, CPU s",
        "measured": f"{time.process_time() - began_s:.1f}",
        "bar": "-",
    }
    for order, load in ((order, load) for order in ORDERS for load in (1.0, 1.5)):
        spent_s = []
        for _ in range(3):
            began_s = time.process_time()
            row = made.row(100_000, order, load)
            spent_s.append(time.process_time() - began_s)
        yield {
            "what": f"100,000 GPUs, {num_jobs:,} jobs, load {load:g}, {order} (mean wait "
            f"{row.wait_mean_s:,.0f} s), compiled: jobs a CPU s",
            "measured": f"{num_jobs / min(spent_s):,.0f}",
            "bar": "1,000,000",
        }


def philly(path: str) -> Iterator[dict[str, object]]:
    """Sweep Philly: a hundred combinations, then the smallest fleet for a wait."""
    jobs = read_trace(path).jobs
    made = Sweep(jobs)
    began_s = time.process_time()
    rows = list(made.rows(SIZES, ORDERS, LOADS))
    yield {
        "what": f"Philly, {len(jobs):,} jobs, {len(rows)} combinations: CPU s",
        "measured": f"{time.process_time() - began_s:.1f}",
        "bar": "60",
    }
    different = 0
    for order in ORDERS:
        waits = queue_times(jobs, Nodes(832 // 8), order)
        different += int((made.waits(832, order) != np.array(waits)).sum())
    yield {
        "what": "Philly on 832 GPUs, FIFO and SJF: jobs whose wait differs from the interpreted replay's",
        "measured": f"{different}",
        "bar": "0",
    }
    for order in ORDERS:
        began_s = time.process_time()
        best = made.smallest(order, 1.0, 600)
        yield {
            "what": f"Philly, {order}: the fewest GPUs for a p95 wait of 600 s (found in "
            f"{time.process_time() - began_s:.1f} CPU s)",
            "measured": f"{best.gpus}",
            "bar": "-",
        }


def leaves(num_gangs: int = NUM_LEAF_GANGS) -> Iterator[dict[str, object]]:
    """Place gangs on 12,500 nodes, 32 under a leaf, three quarters full; count the leaves of each."""
    for nodes_per_leaf, name in ((0, "not known"), (32, "known")):
        nodes, draw, held = Nodes(12_500, 8, nodes_per_leaf), random.Random(1), []
        num_leaves = fewest = 0
        began_s = time.process_time()
        for _ in range(num_gangs):
            gpus = 8 * draw.choice((1, 2, 4, 8, 16, 32, 64))
            while nodes.num_free < 25_000:
                nodes.give(held.pop(draw.randrange(len(held))))
            shares = nodes.place(gpus)
            assert shares is not None
            nodes.take(shares)
            held.append(shares)
            num_leaves += len({node // 32 for node, _ in shares})
            fewest += -(-len(shares) // 32)
        spent_us = (time.process_time() - began_s) / num_gangs * 1e6
        yield {
            "what": f"100,000 GPUs three quarters full, leaves {name}: leaves of a gang / the fewest"
            f" ({spent_us:.0f} us a gang)",
            "measured": f"{num_leaves / fewest:.3f}",
            "bar": "-",
        }


def lemons(days: float) -> Iterator[dict[str, object]]:
    """Run on 16,000 GPUs of 16,384 with Llama 3's failures and a few lemons; find them, or not."""
    for share, drains in ((0.0, False), (LEMON_SHARE, False), (LEMON_SHARE, True)):
        pool = Pool(
            name="own",
            num_nodes=2_048,
            mttf_node_days=1_000 / 3.79,
            lemon_share=share,
            lemon_factor=LEMON_FACTOR,
            mend_s=1e9,
        )
        run = Job(
            id="run",
            tenant="a",
            gpus=16_000,
            submit_s=0,
            run_s=days * DAY_S,
            checkpoint_s=600,
            restart_s=300,
        )
        drained: list[float] = []

        def watch(state: FleetState, action: Action, drained: list[float] = drained) -> None:
            if isinstance(action, Drain):
                drained.append(state.now_s / DAY_S)

        began_s = time.process_time()
        (claim,) = simulate(FleetSpec(pools=(pool,)), [run], Policy(drains=drains), watch=watch).finished
        spent_s, took_s = time.process_time() - began_s, claim.finished_s or 0.0
        name = f"{share:.1%} lemons that fail {LEMON_FACTOR:g} times as often" if share else "no lemons"
        found = f", {len(drained)} drained, half of them by day {median(drained):.1f}" if drained else ""
        yield {
            "what": f"16,000 GPUs for {days:g} days, {name}{', found and drained' if drains else ''}: goodput"
            f" ({claim.num_failures:,} failures{found}; {spent_s:.1f} CPU s)",
            "measured": f"{run.run_s / took_s:.4f}",
            "bar": "-",
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--philly", help="Philly's trace")
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--days", type=float, default=60.0, help="of the run that meets lemons")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = [
        *compiled(args.jobs),
        *(philly(args.philly) if args.philly else ()),
        *leaves(),
        *lemons(args.days),
    ]
    show(rows, args.json)


if __name__ == "__main__":
    main()
