"""`hubbub fleet up | down | cancel | drain`: an engine is brought up, and what ends work is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hubbub.cli.options import json_option
from hubbub.cli.output import print_json, print_note, progress
from hubbub.errors import InvalidInput

if TYPE_CHECKING:
    from hubbub.fleet.launcher import Launcher, Truth
    from hubbub.fleet.state import Claim

DEFAULT_URL = "local:.hubbub-fleet"
on_option = click.option(
    "--on",
    "url",
    metavar="URL",
    default=DEFAULT_URL,
    envvar="HUBBUB_FLEET",
    show_default=True,
    help="local:DIR (processes here), slurm:DIR or ray://HOST:PORT; also from HUBBUB_FLEET.",
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def look(url: str, *, make: bool = False) -> tuple[Launcher, Truth]:
    """Find an engine, read its truth, and print what a person has to know of it."""
    from hubbub.fleet.launcher import open_launcher

    launcher = open_launcher(url, make=make)
    truth = launcher.look()
    for note in truth.notes:
        print_note(note)
    return launcher, truth


def _confirm(question: str, is_sure: bool) -> None:
    """Ask, unless --yes was given; no is the end of the command."""
    if not is_sure:
        click.confirm(question, abort=True, err=True)


@click.command()
@on_option
@click.option("--nodes", type=click.IntRange(1, 1_000), help="Pretend nodes [default: 4].")
@click.option("--gpus-per-node", type=click.IntRange(1, 16), default=8, show_default=True)
@click.option("--fleet", "fleet_file", metavar="FILE", help="A fleet's TOML, instead of --nodes.")
@click.option(
    "--accounting", "has_accounts", is_flag=True, help="Slurm: accounts, quotas, fair shares in slurmdbd."
)
@click.option(
    "--grace",
    "grace_s",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="local and ray: from SIGTERM to SIGKILL [default: 30].",
)
@json_option
def up(
    url: str,
    nodes: int | None,
    gpus_per_node: int,
    fleet_file: str | None,
    has_accounts: bool,
    grace_s: float | None,
    as_json: bool,
) -> None:
    """Start an engine: local: a supervisor of processes, slurm: a real Slurm on 127.0.0.1, ray: on a Ray."""
    from hubbub.fleet.launcher import bring_up, pretend_fleet
    from hubbub.fleet.spec import read_fleet

    spec = None if nodes is None else pretend_fleet(nodes, gpus_per_node)
    if fleet_file:
        spec = read_fleet(fleet_file)
    with progress() as line:
        launcher = bring_up(url, spec, tell=line.show, has_accounts=has_accounts, grace_s=grace_s)
    tenants = [tenant.name for tenant in launcher.spec.tenants]
    print_note(f"tenants {', '.join(tenants)}")
    for note in launcher.look().notes:
        print_note(note)
    print_json({"url": launcher.url, "tenants": tenants}) if as_json else click.echo(launcher.url)


@click.command()
@on_option
@yes_option
@json_option
def down(url: str, yes: bool, as_json: bool) -> None:
    """Cancel its jobs and stop what `hubbub fleet up` started, or what of it was left when it was killed."""
    running: list[str] = []
    if is_half_up := _was_half_up(url):
        print_note(f"what a killed `hubbub fleet up` left of {url} is removed")
    else:
        launcher, truth = look(url)
        if running := [job for job, claim in truth.state.claims.items() if claim.pool is not None]:
            _confirm(f"{len(running)} jobs run on {url} and will be ended. Go on?", yes)
        launcher.stop()
        print_note(f"{url} has stopped")
    if as_json:
        print_json({"url": url, "ended": running, "was_half_up": is_half_up})


def _was_half_up(url: str) -> bool:
    from pathlib import Path

    from hubbub.fleet.launcher import kind_of
    from hubbub.fleet.slurm.bring_up import clear

    kind, where = kind_of(url)
    return kind == "slurm" and clear(Path(where))


@click.command()
@on_option
@click.option("--tenant", envvar="HUBBUB_TENANT", help="Act as this tenant: only on its own jobs.")
@yes_option
@json_option
@click.argument("jobs", metavar="JOB...", nargs=-1, required=True)
def cancel(url: str, tenant: str | None, yes: bool, as_json: bool, jobs: tuple[str, ...]) -> None:
    """End jobs: what runs is told by SIGTERM, and killed if it stays."""
    launcher, truth = look(url)
    claims = [_own(truth, job, tenant) for job in jobs]
    if running := [claim for claim in claims if claim.pool is not None]:
        told = ", ".join(f"{claim.job.id} of {claim.job.tenant}" for claim in running)
        _confirm(f"These run and will be ended: {told}. Go on?", yes)
    for job in jobs:
        launcher.cancel(job)
        print_json({"cancelled": job}) if as_json else click.echo(f"{job} cancelled")


def _own(truth: Truth, job: str, tenant: str | None) -> Claim:
    if job not in truth.state.claims:
        how = f" ({truth.ended[job]})" if job in truth.ended else ""
        raise InvalidInput(f"job {job!r} neither waits nor runs{how}; hubbub fleet queue lists what does")
    claim = truth.state.claims[job]
    if tenant is not None and claim.job.tenant != tenant:
        raise InvalidInput(f"job {job!r} is {claim.job.tenant}'s; {tenant} may act on its own jobs only")
    return claim


@click.command()
@on_option
@yes_option
@click.option("--reason", default="by hand", show_default=True, help="Stands in `hubbub fleet nodes`.")
@click.option("--back", is_flag=True, help="Take the node in again: it was mended.")
@json_option
@click.argument("node", metavar="POOL-NUMBER")
def drain(url: str, yes: bool, reason: str, back: bool, as_json: bool, node: str) -> None:
    """Start nothing more on a node, until `hubbub fleet drain --back`; what runs there goes on."""
    from hubbub.fleet.actions import Drain, Restore

    launcher, truth = look(url)
    name, _, number = node.rpartition("-")
    pool = truth.state.pools.get(name)
    if pool is None or not number.isdigit() or not 1 <= int(number) <= len(pool.nodes.free):
        raise InvalidInput(f"node {node!r} is not known; hubbub fleet nodes lists them")
    if not back:
        _confirm(f"{node} will take no more jobs. Go on?", yes)
    launcher.carry_out((Restore if back else Drain)(name, int(number) - 1, reason))
    if as_json:
        print_json({"node": node, "takes_jobs": back})
    else:
        click.echo(f"{node} takes jobs again" if back else f"{node} takes no more jobs")
