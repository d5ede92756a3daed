"""`hubbub index`: what the index holds, rebuilding it, and teaching it the words of your own stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from hubbub.cli.options import data_options, json_option, open_local, read_settings
from hubbub.cli.output import format_table, print_json, print_note
from hubbub.errors import HubbubError
from hubbub.index.removal import remove_index


@click.group()
def index() -> None:
    """Look into the index, rebuild it, or teach it the words of your own stream."""


@index.command()
@data_options
@json_option
def show(as_json: bool, **flags: Any) -> None:
    """Show what the index holds."""
    with open_local(read_settings(**flags)) as house:
        stats = msgspec.to_builtins(house.index.stats())
    if as_json:
        print_json(stats)
    else:
        click.echo(format_table(("what", "value"), [(key, str(value)) for key, value in stats.items()]))


@index.command()
@data_options
def rebuild(**flags: Any) -> None:
    """Throw the index away and fold the archive again, for instance with another --embedder."""
    config = read_settings(**flags)
    directory = Path(config.data) / "index"
    if config.index not in ("edge", "sqlite"):
        raise HubbubError(
            f"index {config.index!r} is a server's; delete its collection there, then run `hubbub ask`"
        )
    remove_index(directory)
    with open_local(config) as house:
        print_note(f"{house.index.stats().num_posts:,} posts indexed")
