"""A group of verbs of which some have files of their own, loaded when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click


class FiledVerbs(click.Group):
    """`filed` maps a verb to its file in hubbub/cli and to what the list of verbs says of it."""

    def __init__(self, *args: Any, filed: dict[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filed = filed

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the verbs."""
        return sorted({*super().list_commands(ctx), *self.filed})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's file."""
        if cmd_name not in self.filed:
            return super().get_command(ctx, cmd_name)
        command = getattr(import_module(f"hubbub.cli.{self.filed[cmd_name][0]}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        own = {name: command.get_short_help_str(80) for name, command in self.commands.items()}
        with formatter.section("Commands"):
            formatter.write_dl(
                sorted({**own, **{name: told for name, (_, told) in self.filed.items()}}.items())
            )
