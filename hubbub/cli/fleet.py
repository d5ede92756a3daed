"""`hubbub fleet`: who runs what now on a shared fleet, who waits until when; each verb has its file."""

from __future__ import annotations

import click

from hubbub.cli.lazy import LazyVerbs

VERBS = {
    "apply": ("fleet_apply", "Write a fleet as Kueue or SkyPilot files, or change a running engine."),
    "cancel": ("fleet_cluster", "End jobs that wait or run."),
    "check": ("fleet_apply", "Check Kueue and SkyPilot files, field by field."),
    "deliveries": ("fleet_deliveries", "Find the swaps of shipments that leave the fewest GPUs idle."),
    "demo": ("fleet_demo", "Play a story of the whole fleet on a real Slurm, and take it down."),
    "down": ("fleet_cluster", "Stop what `hubbub fleet up` started."),
    "drain": ("fleet_cluster", "Take a node out of order, or in again."),
    "eta": ("fleet_asking", "Say when a waiting job starts, with a band."),
    "nodes": ("fleet_live", "Show every node."),
    "page": ("fleet_page", "Show a running fleet as a page of pictures, live."),
    "power": ("fleet_live", "Show what each site draws, or change its cap."),
    "queue": ("fleet_live", "Show every job: who waits, why, and until when."),
    "simulate": ("fleet_simulate", "Replay recorded or invented jobs on a fleet under a policy."),
    "steer": ("fleet_live", "Preempt on a Slurm for power and for guarantees."),
    "submit": ("fleet_live", "Run a command as a tenant's job."),
    "sweep": ("fleet_sweep", "Replay the same jobs on fleets of many sizes; find the smallest."),
    "top": ("fleet_live", "Show who holds what."),
    "up": ("fleet_cluster", "Start a fleet on this machine: processes, or a real Slurm."),
    "whatif": ("fleet_asking", "List what would start a waiting job now."),
    "why": ("fleet_asking", "Say in one sentence what keeps a job waiting."),
}


@click.group(cls=LazyVerbs, files=VERBS)
def fleet() -> None:
    """Share one fleet among tenants: by right, priority, power; explained, simulated, then carried out."""
