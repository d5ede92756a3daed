"""`hubbub fleet`: who runs what now on a shared fleet, who waits until when; each verb has its file."""

from __future__ import annotations

from importlib import import_module

import click

VERBS = {
    "deliveries": ("fleet_deliveries", "Find the swaps of shipments that leave the fewest GPUs idle."),
    "down": ("fleet_cluster", "Stop the Slurm of `hubbub fleet up`."),
    "eta": ("fleet_asking", "Say when a waiting job starts, with a band."),
    "simulate": ("fleet_simulate", "Replay recorded or invented jobs on a fleet under a policy."),
    "up": ("fleet_cluster", "Start a real Slurm on this machine, with pretend GPUs."),
    "whatif": ("fleet_asking", "List what would start a waiting job now."),
    "why": ("fleet_asking", "Say in one sentence what keeps a job waiting."),
}


class _Verbs(click.Group):
    """Loads a verb's file only when that verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the verbs."""
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's file."""
        if cmd_name not in VERBS:
            return None
        command = getattr(import_module(f"hubbub.cli.{VERBS[cmd_name][0]}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, VERBS[name][1]) for name in sorted(VERBS)])


@click.group(cls=_Verbs)
def fleet() -> None:
    """Share one fleet among tenants: by right, priority, power; explained, simulated, then carried out."""
