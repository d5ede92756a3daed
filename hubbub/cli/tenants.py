"""`hubbub tenants`: how much each may use, who goes first, how its answers sound, and who is switched off."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import click

from hubbub.cli.lazy import LazyVerbs
from hubbub.cli.options import data_option, json_option, read_settings
from hubbub.cli.output import format_table, print_json, print_note
from hubbub.errors import InvalidInput
from hubbub.server.keys import FIRST, LAST, KeyRing, Stop, Tenant
from hubbub.server.rules import parse_rules
from hubbub.server.usage import Spent, Usage

_HEADER = ("tenant", "priority", "a minute", "streams", "tokens a day", "used today", "rules", "state")


class Limit(click.ParamType[int | str]):
    """A number, or none for no limit."""

    name = "number|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Read the value."""
        if value == "none" or isinstance(value, int):
            return value  # type: ignore[no-any-return]
        if not str(value).isdecimal():
            self.fail(f"{value!r} is neither a number nor none", param, ctx)
        return int(value)


@click.group(cls=LazyVerbs)
def tenants() -> None:
    """Limit, rank, tune and stop tenants; a running server obeys within a second. The page is tenant `-`."""


@tenants.command(name="list")
@data_option
@json_option
def show(as_json: bool, **flags: Any) -> None:
    """List the tenants, what they may use, and what they have used today."""
    ring = _ring(flags)
    usage = Usage(ring.directory)
    found = [(tenant, usage.today(tenant.name)) for tenant in ring.tenants()]
    if as_json:
        for tenant, spent in found:
            print_json({"tenant": tenant, "usage": spent})
        return
    click.echo(format_table(_HEADER, [_row(tenant, spent) for tenant, spent in found]))
    if ring.stopped:
        print_note(f"{_word(ring.stopped)} for everybody: hubbub tenants resume --all")


@tenants.command(name="set")
@click.argument("name")
@click.option("--priority", type=click.IntRange(FIRST, LAST), help="Who is served first when it is full: 1.")
@click.option("--requests-per-minute", type=Limit(), help="Of all its keys together.")
@click.option("--streams", type=Limit(), help="Open at once.")
@click.option("--tokens-per-day", type=Limit(), help="In questions and answers, by days of UTC.")
@click.option(
    "--rules", type=click.File(encoding="utf-8"), help="File of rules of tone; an empty one ends them."
)
@data_option
@json_option
def change(name: str, rules: IO[str] | None, data: str | None, as_json: bool, **limits: Any) -> None:
    """Set what the tenant NAME may use, how early it is served, and how its answers sound."""
    changes = {key: None if value == "none" else value for key, value in limits.items() if value is not None}
    try:
        given = parse_rules(rules.read()) if rules else None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"rules {rules and rules.name!r}: {error}; write them in UTF-8") from None
    tenant = _ring({"data": data}).change(name, given, **changes)
    told = f"; its rules are now version {tenant.rules[-1].version}" if given else ""
    if as_json:
        print_json({"tenant": tenant})
    print_note(f"tenant {tenant.name} is set{told}")


@tenants.command()
@click.argument("name", required=False)
@click.option("--all", "is_all", is_flag=True, help="Everybody, the page too.")
@click.option("--answers", is_flag=True, help="Only what is written; search stays up.")
@data_option
@json_option
def stop(name: str | None, is_all: bool, answers: bool, **flags: Any) -> None:
    """Switch the tenant NAME off; what it has open ends within a second."""
    _switch(name, is_all, "answers" if answers else "all", **flags)


@tenants.command()
@click.argument("name", required=False)
@click.option("--all", "is_all", is_flag=True, help="Everybody who was not stopped by name.")
@data_option
@json_option
def resume(name: str | None, is_all: bool, **flags: Any) -> None:
    """Switch the tenant NAME on again."""
    _switch(name, is_all, None, **flags)


def _switch(name: str | None, is_all: bool, to: Stop | None, *, as_json: bool, **flags: Any) -> None:
    if (name is None) != is_all:
        raise click.UsageError("name a tenant, or say --all")
    ring = _ring(flags)
    if name is None:
        ring.stop_all(to)
    else:
        ring.change(name, stopped=to)
    if as_json:
        print_json({"tenant": name, "stopped": to})
    print_note(f"{_word(to)} for {'everybody' if name is None else name}")


def _ring(flags: dict[str, Any]) -> KeyRing:
    return KeyRing(Path(read_settings(**flags).data))


def _word(stopped: Stop | None) -> str:
    return {"answers": "answers are off", "all": "everything is off"}.get(stopped or "", "all is on")


def _row(tenant: Tenant, spent: Spent) -> tuple[object, ...]:
    limits = (tenant.requests_per_minute, tenant.streams, tenant.tokens_per_day)
    told = ("-" if limit is None else limit for limit in limits)
    rules = tenant.house_rules
    state = f"{tenant.stopped} stopped" if tenant.stopped else ""
    return tenant.name, tenant.priority, *told, spent.num_tokens, rules.version if rules else "-", state
