"""`hubbub keys`: who may ask this house from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hubbub.cli.lazy import LazyVerbs
from hubbub.cli.options import data_option, json_option, read_settings
from hubbub.cli.output import format_table, print_json, print_note
from hubbub.server.keys import SCOPES, Key, KeyRing
from hubbub.units import format_time

_HEADER = ("id", "tenant", "may", "a minute", "made", "revoked")


@click.group(cls=LazyVerbs)
def keys() -> None:
    """Make, list and revoke the keys of tenants; a running server obeys at once."""


@keys.command()
@click.argument("tenant")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="Allow only this; repeatable."
)
@click.option(
    "--per-minute", type=click.IntRange(1), default=600, show_default=True, help="Requests a minute."
)
@data_option
@json_option
def add(tenant: str, scopes: tuple[Any, ...], per_minute: int, as_json: bool, **flags: Any) -> None:
    """Make a key for TENANT and show it, once."""
    key, secret = _ring(flags).add(tenant, scopes or SCOPES, per_minute)
    if as_json:
        print_json({"id": key.id, "tenant": key.tenant, "key": secret, "scopes": key.scopes})
        return
    click.echo(secret)
    print_note(f"key {key.id} of {key.tenant}: keep it now, it is shown only this once")


@keys.command(name="list")
@data_option
@json_option
def show(as_json: bool, **flags: Any) -> None:
    """List the keys, without their secrets."""
    found = _ring(flags).all()
    if as_json:
        for key in found:
            print_json({name: getattr(key, name) for name in key.__struct_fields__ if name != "digest"})
        return
    click.echo(format_table(_HEADER, [_row(key) for key in found]))


@keys.command()
@click.argument("key_id", metavar="ID")
@data_option
@json_option
def revoke(key_id: str, as_json: bool, **flags: Any) -> None:
    """Refuse the key ID from now on."""
    key = _ring(flags).revoke(key_id)
    if as_json:
        print_json({"id": key.id, "tenant": key.tenant, "revoked_us": key.revoked_us})
    print_note(f"key {key.id} of {key.tenant} is revoked")


def _ring(flags: dict[str, Any]) -> KeyRing:
    return KeyRing(Path(read_settings(**flags).data))


def _row(key: Key) -> tuple[object, ...]:
    revoked = format_time(key.revoked_us) if key.revoked_us else ""
    return key.id, key.tenant, " ".join(key.scopes), key.per_minute, format_time(key.created_us), revoked
