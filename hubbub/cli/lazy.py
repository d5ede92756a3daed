"""A group of verbs that have files of their own, each imported when it is used; it knows no verb."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyVerbs(click.Group):
    """Loads a verb's file only when that verb is used, so that `--help` stays quick."""

    def __init__(
        self, *args: Any, files: Mapping[str, tuple[str, str]] | None = None, **settings: Any
    ) -> None:
        """`files` holds for a verb its file in this room, and what the list of verbs says of it."""
        super().__init__(*args, **settings)
        self._files = files or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the verbs."""
        return sorted({*super().list_commands(ctx), *self._files})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's file."""
        if cmd_name not in self._files:
            return super().get_command(ctx, cmd_name)
        command = getattr(import_module(f"hubbub.cli.{self._files[cmd_name][0]}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them, each with its whole first sentence."""
        told = {name: command.get_short_help_str(200) for name, command in self.commands.items()}
        told |= {name: said for name, (_, said) in self._files.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(told.items()))
