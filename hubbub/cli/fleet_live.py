"""`hubbub fleet submit | top | queue | nodes | power | steer`: a running engine, looked at and led."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from hubbub.cli.fleet_cluster import DEFAULT_URL, look, on_option
from hubbub.cli.options import json_option
from hubbub.cli.output import format_table, print_json, print_note
from hubbub.errors import InvalidInput

if TYPE_CHECKING:
    from hubbub.fleet.launcher import Launcher
    from hubbub.fleet.spec import FleetSpec


_NUM_ENDED_TOLD = 5


@click.command(context_settings={"ignore_unknown_options": True})
@on_option
@click.option("--tenant", required=True, envvar="HUBBUB_TENANT")
@click.option("--gpus", type=click.IntRange(1), help="Needed without --spec.")
@click.option(
    "--spec", "spec_file", type=click.Path(path_type=Path), help="A RunSpec as TOML: plan predicts it."
)
@click.option("--name", default="job", show_default=True)
@click.option("--expect", "expected_s", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
              help="How long it takes; on Slurm its limit is twice that.")  # fmt: skip
@click.option("--min-gpus", type=click.IntRange(0), default=0, metavar="N",
              help="Elastic: it is content with N, and restarted with fewer or more.")  # fmt: skip
@click.option("--array", "num_parts", type=click.IntRange(1, 10_000), metavar="N",
              help="N jobs: {i} in COMMAND becomes 1 to N, {n} becomes N.")  # fmt: skip
@json_option
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def submit(
    url: str,
    tenant: str,
    gpus: int | None,
    spec_file: Path | None,
    name: str,
    expected_s: float | None,
    min_gpus: int,
    num_parts: int | None,
    as_json: bool,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND as a tenant's job; write -- before it. SIGTERM tells it to save and leave."""
    launcher, _ = look(url, make=True)
    told: dict[str, Any] = {}
    if spec_file is not None:
        told = _predicted(spec_file, gpus, launcher.spec)
        gpus, expected_s = told["gpus"], expected_s or told["expected_s"]
    if gpus is None:
        raise click.UsageError("say how many GPUs: --gpus N, or --spec RUN.toml")
    jobs = [
        launcher.submit(
            tenant, gpus, each, name=name, expected_s=expected_s, min_gpus=min_gpus, directory=Path.cwd()
        )
        for each in _parts_of(command, num_parts)
    ]
    for job in jobs:
        print_json({"job": job, **told}) if as_json else click.echo(job)
    if not as_json:
        _tell_start(launcher, jobs[0], url)


def _parts_of(command: tuple[str, ...], num_parts: int | None) -> list[tuple[str, ...]]:
    """Return the command of each job of an array; without one, the command as it is."""
    if num_parts is None:
        return [command]
    if not any("{i}" in word for word in command):
        raise click.UsageError(
            "--array makes jobs that differ: write {i} where COMMAND takes its part's number"
        )
    return [
        tuple(word.replace("{i}", str(part)).replace("{n}", str(num_parts)) for word in command)
        for part in range(1, num_parts + 1)
    ]


def _tell_start(launcher: Launcher, job: str, url: str) -> None:
    """Say what became of a job within the first half second: a mistyped command has failed by then."""
    from hubbub.fleet.explain import why
    from hubbub.fleet.policy import Policy

    began_s = time.monotonic()
    while (claim := (truth := launcher.look()).state.claims.get(job)) is not None:
        is_to_start = claim.pool is None and why(truth.state, Policy(), job).kind == "starts"
        if time.monotonic() - began_s > (3.0 if is_to_start else 0.5):
            break
        time.sleep(0.05)
    on = "" if url == DEFAULT_URL else f" --on {url}"
    if claim is None:
        print_note(f"{job} {truth.ended.get(job, 'has ended')}")
    elif claim.pool is None:
        print_note(f"{job} waits; ask why: hubbub fleet why {job}{on}")
    else:
        nodes = ", ".join(f"{claim.pool.pool.name}-{node + 1}" for node, _ in claim.shares)
        print_note(f"{job} runs on {claim.job.gpus} GPUs of {nodes}; see it: hubbub fleet queue{on}")
    if (output := launcher.output_of(job)) is not None:
        print_note(f"its output: {output}")


def _predicted(spec_file: Path, gpus: int | None, fleet: FleetSpec) -> dict[str, Any]:
    """Say what plan expects of a run, before Slurm gets it."""
    from hubbub.cli.train_plan import read_spec
    from hubbub.fleet.launch import expect

    run = read_spec(spec_file)
    told = expect(run)
    if gpus not in (None, told.gpus):
        raise click.UsageError(
            f"--gpus {gpus}, but the layout of {spec_file} takes {told.gpus}; leave --gpus out"
        )
    time, kw = told.run_s, told.kw
    print_note(
        f"plan predicts {time.mid:,.0f} s ({time.low:,.0f} to {time.high:,.0f}) and {kw.mid:,.1f} kW on "
        f"{told.gpus} x {run.cluster.gpu.name}, {100 * told.mfu.mid:.0f} % MFU; noted as the expected time"
    )
    if not told.fits:
        print_note(told.verdict)
    kinds = {pool.gpu for pool in fleet.pools}
    if not any(run.cluster.gpu.name.split("-")[0] == kind.split("-")[0] for kind in kinds):
        print_note(f"the fleet has {', '.join(sorted(kinds))}, and so will not take as long as predicted")
    return {"gpus": told.gpus, "expected_s": time.mid, "kw": kw.mid, "fits": told.fits}


@click.command()
@on_option
@json_option
def top(url: str, as_json: bool) -> None:
    """Show who holds what, and what each site draws."""
    _, truth = look(url)
    rows, state = [], truth.state
    for name, tenant in state.tenants.items():
        borrowed = sum(claim.job.gpus for claim in tenant.borrowed.values())
        num_waiting = sum(len(queue) for queue in tenant.queues.values())
        rows.append(
            {
                "tenant": name,
                "priority": tenant.tenant.priority,
                "guaranteed": tenant.tenant.guaranteed_gpus,
                "held": tenant.held_gpus,
                "borrowed": borrowed,
                "waiting": num_waiting,
            }
        )
    sites = [
        {"site": site.name, "cap_kw": site.cap_kw, "drawn_kw": round(site.drawn_kw, 3)}
        for site in state.sites.values()
    ]
    if as_json:
        print_json({"tenants": rows, "sites": sites})
        return
    _show(rows, False, "no tenant is described, and none has jobs")
    for site in sites:
        print_note(f"{site['site']}: {site['drawn_kw']:,.1f} of {site['cap_kw']:,.1f} kW")


@click.command()
@on_option
@json_option
def queue(url: str, as_json: bool) -> None:
    """Show every job: who waits, why, and when it will start."""
    from hubbub.fleet.explain import starts_of, why
    from hubbub.fleet.launcher import NO_LIMIT_S
    from hubbub.fleet.policy import Policy

    _, truth = look(url)
    now_s, rows = truth.state.now_s, []
    starts = starts_of(truth.state, Policy())
    for name, claim in truth.state.claims.items():
        told = truth.held.get(name) or why(truth.state, Policy(), name).text
        left_s = starts.get(name, NO_LIMIT_S + now_s) - now_s
        rows.append({"job": name, "name": truth.names[name], "tenant": claim.job.tenant,
                     "gpus": claim.job.gpus, "runs": claim.pool is not None, "why": told,
                     "starts_in_s": round(left_s) if left_s < NO_LIMIT_S / 2 else None})  # fmt: skip
    _show(rows, as_json, "no job waits or runs")
    for job, how in list(truth.ended.items())[-_NUM_ENDED_TOLD:]:
        print_note(f"{job} ({truth.names.get(job, 'job')}) {how}")


def _show(rows: list[dict[str, Any]], as_json: bool, nothing: str) -> None:
    if as_json:
        print_json(rows)
    elif rows:
        known = [["-" if value is None else value for value in row.values()] for row in rows]
        click.echo(format_table(list(rows[0]), known))
    else:
        print_note(nothing)


@click.command()
@on_option
@json_option
def nodes(url: str, as_json: bool) -> None:
    """Show every node: its free GPUs, who works on it, whether it is out."""
    _, truth = look(url)
    rows = [
        {
            "node": f"{pool.pool.name}-{node + 1}",
            "free": free,
            "state": "out" if pool.nodes.is_out(node) else "good",
            "why": truth.out.get((pool.pool.name, node)) or truth.lemons.get((pool.pool.name, node), ""),
            "jobs": " ".join(claim.job.id for claim in pool.on_node.get(node, ())),
        }
        for pool in truth.state.pools.values()
        for node, free in enumerate(pool.nodes.free)
    ]
    _show(rows, as_json, "no node is here: rented ones come for who pays")


@click.command()
@on_option
@click.option("--site", help="Needed where there are several.")
@click.option("--cap-kw", type=click.FloatRange(0), help="From now on, or while --for.")
@click.option("--for", "lasts", metavar="3h", help="The grid asks for so long only.")
@click.option("--at", "begins", metavar="TIME", help="From then, e.g. 2026-12-01T17:00 [default: now].")
@json_option
def power(
    url: str, site: str | None, cap_kw: float | None, lasts: str | None, begins: str | None, as_json: bool
) -> None:
    """Show what each site draws, or change what it may draw: from now on, or for a grid event."""
    from hubbub.fleet.launcher import announced, capped
    from hubbub.units import now_us, parse_duration_us, parse_time_us

    launcher, truth = look(url)
    if (begins and not lasts) or (lasts and cap_kw is None):
        raise click.UsageError("a grid event is --cap-kw X --for DURATION, and --at TIME if it is to come")
    if cap_kw is not None:
        names = list(truth.state.sites)
        if not names:
            raise InvalidInput(
                f"{url} has no site that a cap could hold for: its fleet's file describes none"
            )
        if site is None and len(names) != 1:
            raise click.UsageError(f"name the site: --site {' or '.join(names)}")
        site = site or names[0]
        if lasts:
            start_s = (parse_time_us(begins) if begins else now_us()) / 1e6
            for_s = parse_duration_us(lasts) / 1e6
            launcher.change(partial(announced, site=site, cap_kw=cap_kw, start_s=start_s, duration_s=for_s))
        else:
            launcher.change(partial(capped, site=site, cap_kw=cap_kw))
        truth = launcher.look()
    rows = [
        {"site": each.name, "cap_kw": each.cap_kw, "drawn_kw": round(each.drawn_kw, 3),
         "headroom_kw": round(each.cap_kw - each.drawn_kw, 3)}
        for each in truth.state.sites.values()
    ]  # fmt: skip
    _show(rows, as_json, "the fleet's file describes no site: nothing limits its power")
    if any(site.drawn_kw > site.cap_kw + 1e-6 for site in truth.state.sites.values()):
        who = "hubbub fleet steer takes the weakest off" if url.startswith("slurm:") else "the weakest leave"
        print_note(f"a site is above its cap: {who}")


@click.command()
@on_option
@click.option("--once", is_flag=True, help="One look, then end.")
@click.option("--every", "every_s", type=click.FloatRange(0.1), default=0.5, show_default=True)
@click.option("--drain", is_flag=True, help="Also drain nodes that fail again and again.")
@json_option
def steer(url: str, once: bool, every_s: float, drain: bool, as_json: bool) -> None:
    """Watch Slurm, and preempt where it does not: for power, and for what is guaranteed."""
    from hubbub.fleet.launcher import kind_of
    from hubbub.fleet.policy import Policy
    from hubbub.fleet.slurm.cluster import find
    from hubbub.fleet.slurm.steer import SETTLE_S, step, tell

    kind, where = kind_of(url)
    if kind != "slurm":
        print_note(
            f"{url} needs no steering: who starts its jobs also preempts, for power and for guarantees"
        )
        return
    cluster, policy = find(Path(where)), Policy(drains=drain)
    trouble = ""
    while True:
        try:
            for action in step(cluster, policy, settle_s=0.0 if once else SETTLE_S):
                done = {"did": type(action).__name__, **msgspec.structs.asdict(action)}
                print_json(done) if as_json else click.echo(tell(action))
            trouble = ""
            if once:
                return
        except InvalidInput as error:
            if once or not cluster.is_up:
                raise
            if str(error) != trouble:
                print_note(f"{error}; trying again")
            trouble = str(error)
        time.sleep(every_s)
