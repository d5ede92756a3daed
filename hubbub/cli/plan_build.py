"""`hubbub plan build`: rent, build or both under power; when the model is trained, and at what cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hubbub.cli.options import json_option
from hubbub.cli.output import format_table, print_json, print_note

if TYPE_CHECKING:
    from hubbub.plan.ramp import Comparison, Outcome
    from hubbub.plan.scenario import Scenario

_HEADER = ("plan", "done", "80% band", "run M USD", "paid M USD", "GWh", "t CO2", "goodput")


@click.command()
@click.option("--scenario", "name", required=True, metavar="FILE", help="A TOML file, or memphis.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write one HTML page.")
@json_option
def build(name: str, report: Path | None, as_json: bool) -> None:
    """Follow every plan of a scenario until its tokens are trained: rented, owned, or both."""
    from hubbub.plan.prospect import prospect_of
    from hubbub.plan.ramp import compare
    from hubbub.plan.scenario import read_scenario

    scenario = read_scenario(name)
    prospect = prospect_of(scenario)
    told = compare(scenario, prospect.speed_of, prospect.model.num_params)
    if report:
        from hubbub.plan.report_of_run import report_of_build
        from hubbub.report import write_report

        write_report(report_of_build(scenario, told, prospect), report)
        print_note(f"the pictures are in {report}")
    if as_json:
        print_json(told)
        return
    _print(scenario, told)


def _print(scenario: Scenario, told: Comparison) -> None:
    click.echo(format_table(_HEADER, [_row(each) for each in told.outcomes]))
    if told.earliest:
        click.echo(f"earliest: {told.earliest}; cheapest run: {told.cheapest}")
    if scenario.deadline:
        late = [each.plan for each in told.outcomes if not each.meets_deadline]
        click.echo(f"by {scenario.deadline}: " + (f"not {', '.join(late)}" if late else "all of them"))
    for each in told.outcomes:
        held = sorted({p.state.limit for p in each.curve if p.state.limit != "none"})
        if held:
            print_note(f"{each.plan}: power held it back for a time ({'; '.join(held)})")
    for note in scenario.notes:
        print_note(note)


def _row(each: Outcome) -> tuple[str, ...]:
    from hubbub.plan.wording import tell

    return (
        each.plan,
        str(each.done or "not in 30 years"),
        f"{each.done_early or '-'} to {each.done_late or '-'}",
        tell(each.run_usd.scaled(1e-6), ",.0f"),
        tell(each.cash_usd.scaled(1e-6), ",.0f"),
        f"{each.energy_mwh.mid / 1000:,.0f}",
        f"{each.carbon_t.mid:,.0f}",
        tell(each.goodput, ".0%"),
    )
