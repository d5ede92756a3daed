"""`hubbub fleet why | eta | whatif`: questions about one job, on a running engine or a replayed fleet."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from hubbub.cli.fleet_cluster import look, on_option
from hubbub.cli.fleet_simulate import fleet_of, jobs_of
from hubbub.cli.options import json_option
from hubbub.cli.output import print_json, print_note
from hubbub.errors import InvalidInput

if TYPE_CHECKING:
    from hubbub.fleet.state import FleetState


def _at_a_moment(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which fleet, and when; the command gets its state."""

    @click.argument("job")
    @click.option(
        "--trace", default="invented", metavar="FILE", help="Recorded jobs, or `invented` (a week)."
    )
    @click.option(
        "--fleet", "fleet_file", default="memphis", metavar="FILE", help="A fleet's TOML, or memphis."
    )
    @click.option(
        "--at", "at_days", type=float, metavar="DAY", help="Replay so many days; else what runs --on URL."
    )
    @on_option
    @json_option
    @wraps(command)
    def asked(job: str, trace: str, fleet_file: str, at_days: float | None, url: str, as_json: bool) -> None:
        from hubbub.fleet.policy import Policy
        from hubbub.fleet.simulator import simulate
        from hubbub.fleet.state import FleetState

        if at_days is None:
            truth = look(url)[1]
            if job in truth.ended:
                raise InvalidInput(f"job {job!r} has ended: it {truth.ended[job]}")
            if job in truth.held:
                print_note(f"{job} is held back for now: {truth.held[job]}")
            command(truth.state, job, as_json)
            return
        spec = fleet_of(fleet_file, None)
        state = FleetState(spec)
        simulate(spec, jobs_of(trace, spec, 1.0, 1), Policy(), until_s=at_days * 86_400, state=state)
        if job not in state.claims:
            waiting = [name for name, claim in state.claims.items() if claim.pool is None]
            told = f"; waiting then: {', '.join(waiting[:5])}" if waiting else "; nothing waits then"
            raise InvalidInput(f"job {job!r} neither waits nor runs on day {at_days:g}{told}")
        command(state, job, as_json)

    return asked


@click.command()
@_at_a_moment
def why(state: FleetState, job: str, as_json: bool) -> None:
    """Say in one sentence what keeps JOB waiting."""
    from hubbub.fleet.explain import why as ask
    from hubbub.fleet.policy import Policy

    told = ask(state, Policy(), job)
    print_json(told) if as_json else click.echo(f"{job}: {told.text}")


@click.command()
@_at_a_moment
def eta(state: FleetState, job: str, as_json: bool) -> None:
    """Say when JOB starts if nothing new comes, with the band of 80 % of draws."""
    from hubbub.fleet.explain import forecast
    from hubbub.fleet.launcher import NO_LIMIT_S
    from hubbub.fleet.policy import Policy

    told = forecast(state, Policy(), job)
    if as_json:
        print_json(told)
        return

    def in_hours(at_s: float | None) -> str:
        return "never" if at_s is None else in_words(at_s - state.now_s)

    edges = (told.start_s, told.low_s, told.high_s)
    if any(at_s is not None and at_s - state.now_s > NO_LIMIT_S / 2 for at_s in edges):
        click.echo(f"nobody knows when {job} starts: not all that goes before it was told to --expect an end")
    elif told.start_s is not None and told.start_s <= state.now_s:
        click.echo(f"{job} runs since {in_words(state.now_s - told.start_s)}")
    else:
        click.echo(
            f"{job} starts in {in_hours(told.start_s)} ({in_hours(told.low_s)} to {in_hours(told.high_s)})"
        )


def in_words(left_s: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, seconds in (("h", 3_600.0), ("min", 60.0)):
        if left_s >= 2 * seconds:
            return f"{left_s / seconds:.1f} {unit}"
    return f"{left_s:.0f} s"


@click.command()
@_at_a_moment
def whatif(state: FleetState, job: str, as_json: bool) -> None:
    """List the changes that would start JOB now, the cheapest first."""
    from hubbub.fleet.explain import what_if
    from hubbub.fleet.policy import Policy

    told: list[Any] = what_if(state, Policy(), job)
    if as_json:
        print_json(told)
    elif not told:
        click.echo(
            f"{job} runs already" if state.claims[job].pool else f"nothing that we know starts {job} now"
        )
    else:
        for option in told:
            click.echo(f"{job} starts now {option.change}: {option.costs}")
