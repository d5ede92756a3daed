"""`hubbub fleet demo`: a scripted story on a real Slurm that comes up for it and goes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from hubbub.cli.options import json_option
from hubbub.cli.output import print_json, print_note


@click.command()
@json_option
def demo(as_json: bool) -> None:
    """Play X before Tesla, a lower cap, a grid event, a dead node and a rented one, live on a real Slurm."""
    from hubbub.fleet.slurm.story import Scene, play

    def tell(scene: Scene) -> None:
        if as_json:
            print_json(scene)
            return
        bar = f"at most {scene.bar_s:g} s" if scene.bar_s else ""
        click.echo(f"{'ok ' if scene.is_met else 'NOT'} {scene.seconds:5.1f} s  {bar:13}  {scene.text}")

    with tempfile.TemporaryDirectory(prefix="hubbub-demo-") as directory:
        is_met = play(Path(directory), tell)
    if not is_met:
        print_note("a scene did not go as it should")
        raise click.exceptions.Exit(1)
