"""`hubbub fleet sweep`: the same jobs on many fleets at once, or the smallest fleet for a wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from hubbub.cli.fleet_simulate import fleet_of, jobs_of
from hubbub.cli.options import json_option
from hubbub.cli.output import format_table, print_json
from hubbub.errors import InvalidInput

if TYPE_CHECKING:
    from hubbub.fleet.sweep import Order, Row

_HEADER = ("policy", "load", "GPUs", "jobs", "wait mean", "median", "p95", "utilisation")


@click.command()
@click.option("--trace", default="invented", metavar="FILE", help="Recorded jobs, or `invented` (a week).")
@click.option("--gpus", default="", metavar="N,...", help="Sizes of the fleet.")
@click.option("--policy", default="fifo,sjf", show_default=True, metavar="NAME,...", help="fifo, sjf.")
@click.option(
    "--load", default="1", show_default=True, metavar="X,...", help="1.2: the same jobs 1.2 times as fast."
)
@click.option("--want-p95-wait", type=float, metavar="SECONDS", help="Find the smallest fleet for it.")
@click.option("--gpus-per-node", type=click.IntRange(1, 64), default=8, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Of what is invented.")
@json_option
def sweep(
    trace: str,
    gpus: str,
    policy: str,
    load: str,
    want_p95_wait: float | None,
    gpus_per_node: int,
    seed: int,
    as_json: bool,
) -> None:
    """Replay the same jobs for every combination of sizes, policies and loads; millions of jobs a second.

    First in first out or shortest job first, nobody preempted, no failures: for those use `simulate`. Waits
    are in seconds.
    """
    from hubbub.fleet.sweep import Sweep

    sizes = [_whole(size) for size in _numbers(gpus, "--gpus")]
    loads = _numbers(load, "--load")
    orders = cast("list[Order]", [name.strip() for name in policy.split(",") if name.strip()])
    if not orders or not (sizes or want_p95_wait is not None):
        raise InvalidInput("nothing to sweep; give --policy and --gpus 1024,2048 or --want-p95-wait 600")
    spec = fleet_of("memphis", None if trace == "invented" else max(sizes, default=1 << 27))
    made = Sweep(jobs_of(trace, spec, 1.0, seed), gpus_per_node)
    rows = list(made.rows(sizes, orders, loads))
    if want_p95_wait is not None:
        rows += [made.smallest(order, each, want_p95_wait) for order in orders for each in loads]
    if as_json:
        for row in rows:
            print_json(row)
        return
    click.echo(format_table(_HEADER, [_cells(row) for row in rows]))
    for row in rows[len(sizes) * len(loads) * len(orders) :]:
        click.echo(
            f"{row.policy}, load {row.load:g}: {row.gpus:,} GPUs are the fewest with a p95 wait of "
            f"{want_p95_wait:,.0f} s or less"
        )


def _numbers(text: str, option: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise InvalidInput(f"{option} {text!r}: give numbers with commas between them") from None


def _whole(size: float) -> int:
    if not size.is_integer():
        raise InvalidInput(f"--gpus {size:g}: give whole GPUs")
    return int(size)


def _cells(row: Row) -> tuple[object, ...]:
    waits = (row.wait_mean_s, row.wait_median_s, row.wait_p95_s)
    numbers = (f"{row.gpus:,}", f"{row.num_jobs:,}", *(f"{wait:,.0f}" for wait in waits))
    return (row.policy, f"{row.load:g}", *numbers, f"{row.utilisation:.1%}")
