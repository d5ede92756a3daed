"""`hubbub fleet simulate`: replay jobs on a fleet; a table by tenant, and a page with pictures if asked."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from hubbub.cli.options import json_option
from hubbub.cli.output import format_table, print_json, print_note

if TYPE_CHECKING:
    from hubbub.fleet.jobs import Job
    from hubbub.fleet.outcome import TenantOutcome
    from hubbub.fleet.policy import Policy
    from hubbub.fleet.spec import FleetSpec

_HEADER = (
    "tenant",
    "jobs",
    "GPU-h",
    "wait mean",
    "median",
    "p95",
    "preempted",
    "failed",
    "lost GPU-h",
    "ETTR",
)

RULES = {
    "las": ("las", True), "srtf": ("srtf", True), "fairshare": ("fairshare", True),
    "goodput": ("goodput", True), "priority": ("fifo", True),
    "fifo": ("fifo", False), "sjf": ("sjf", False), "fair": ("fair", False),
}  # fmt: skip
"""The policy's order, and whether anybody is preempted."""


@click.command()
@click.option("--trace", default="invented", metavar="FILE", help="Recorded jobs, or `invented` (a week).")
@click.option("--fleet", "fleet_file", default="memphis", metavar="FILE", help="A fleet's TOML, or memphis.")
@click.option("--gpus", type=click.IntRange(8), help="Instead of a fleet's file: so many GPUs, 8 a node.")
@click.option("--policy", type=click.Choice([*RULES]), default="las", show_default=True)
@click.option("--load", type=click.FloatRange(0, min_open=True), default=1.0, help="Of the invented week.")
@click.option("--days", type=click.FloatRange(0, min_open=True), help="Stop after so many days.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of failures and of what is invented.")
@click.option("--deliveries", "orders_file", metavar="FILE", help="Orders, if the fleet's file has none.")
@click.option("--drain-lemons", is_flag=True, help="Take nodes out that fail far more often than the others.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write one HTML page.")
@json_option
def simulate(
    trace: str,
    fleet_file: str,
    gpus: int | None,
    policy: str,
    load: float,
    days: float | None,
    seed: int,
    orders_file: str | None,
    drain_lemons: bool,
    report: Path | None,
    as_json: bool,
) -> None:
    """Replay jobs on a fleet and show what each tenant got.

    Rights first, then priorities; among equals: las, who is new or waited long for what it ran (it knows no
    durations, and takes from who had its turn, an hour to four); srtf, who is done soonest; fairshare, whose
    tenant used least lately; goodput, whose GPUs do most work that counts; priority, who came first. Without
    any preemption: fifo, sjf (shortest first), fair (whose tenant holds least of its share).
    """
    from hubbub.fleet.deliveries import plan_deliveries, read_orders
    from hubbub.fleet.outcome import outcomes_of
    from hubbub.fleet.page.recorder import Recorder
    from hubbub.fleet.simulator import simulate as replay

    spec = fleet_of(fleet_file, gpus)
    jobs = jobs_of(trace, spec, load, seed)
    rules = rules_of(policy, drains=drain_lemons)
    began_s = time.perf_counter()
    until_s = days * 86_400 if days else None
    recorder = Recorder(rules) if report else None
    result = replay(
        spec,
        jobs,
        rules,
        seed=seed,
        until_s=until_s,
        look=recorder.look if recorder else None,
        look_every_s=max((until_s or jobs[-1].submit_s) / 1_000, 60.0),
        watch=recorder.watch if recorder else None,
    )
    took_s = time.perf_counter() - began_s
    told = outcomes_of(result)
    if report and recorder:
        from hubbub.fleet.page.replay import replay_of, write_replay

        plan = plan_deliveries(read_orders(orders_file)) if orders_file else None
        num_bytes = write_replay(report, replay_of(spec, result, recorder, told, policy=policy, plan=plan))
        print_note(f"the pictures are in {report} ({num_bytes / 1e6:.1f} MB)")
    if as_json:
        print_json({"tenants": told, "end_s": result.end_s, "num_preemptions": result.num_preemptions,
                    "num_failures": result.num_failures, "spent_usd": result.spent_usd,
                    "energy_mwh": result.energy_kws / 3.6e6, "over_cap_kw": result.over_cap_kw})  # fmt: skip
        return
    click.echo(format_table(_HEADER, [_row(each) for each in told]))
    over_kw = result.over_cap_kw
    print_note(
        f"{len(jobs):,} jobs on {spec.num_gpus:,} GPUs, {result.end_s / 86_400:.1f} days, in {took_s:.1f} s; "
        f"{result.num_preemptions:,} preemptions, {result.num_failures:,} failures; rented for "
        f"${result.spent_usd:,.0f}; {result.energy_kws / 3.6e6:,.0f} MWh; "
        + (f"ABOVE ITS CAP by {over_kw:.1f} kW" if over_kw > 0 else "never above the cap")
    )


def rules_of(name: str, *, drains: bool = False) -> Policy:
    """Return a policy by its name."""
    from hubbub.fleet.policy import Policy

    order, preempts = RULES[name]
    return msgspec.convert({"order": order, "preempts": preempts, "drains": drains}, Policy)


def fleet_of(name: str, gpus: int | None) -> FleetSpec:
    """Read a fleet by its file or its name, or make one of so many GPUs."""
    from hubbub.fleet.spec import FleetSpec, Pool, read_fleet

    if gpus:
        return FleetSpec(pools=(Pool(name="own", num_nodes=gpus // 8),))
    return read_fleet(name)


def jobs_of(trace: str, spec: FleetSpec, load: float, seed: int) -> list[Job]:
    """Read or invent jobs, with their tenants' priorities."""
    from hubbub.fleet.invented import invented_jobs
    from hubbub.fleet.trace import read_trace

    if trace == "invented":
        jobs = invented_jobs(spec.num_gpus, load=load, seed=seed)
    else:
        read = read_trace(trace, spec)
        left_out = read.num_without_gpu + read.num_never_ran
        if left_out:
            print_note(
                f"{read.num_without_gpu:,} jobs ask for no GPU, {read.num_never_ran:,} never ran: left out"
            )
        jobs = read.jobs
    priorities = {tenant.name: tenant.priority for tenant in spec.tenants}
    return [msgspec.structs.replace(job, priority=priorities.get(job.tenant, job.priority)) for job in jobs]


def _row(each: TenantOutcome) -> tuple[object, ...]:
    return (
        each.tenant,
        each.num_jobs,
        f"{each.gpu_hours:,.0f}",
        *(_duration(value) for value in (each.wait_mean_s, each.wait_median_s, each.wait_p95_s)),
        each.num_preempted,
        each.num_failed,
        f"{each.lost_gpu_hours:,.0f}",
        f"{each.ettr:.3f}",
    )


def _duration(value_s: float) -> str:
    return f"{value_s:.0f} s" if value_s < 120 else f"{value_s / 60:.0f} min" if value_s < 7_200 else (
        f"{value_s / 3_600:.1f} h")  # fmt: skip
