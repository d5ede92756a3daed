"""`hubbub fleet up | down`: a real Slurm on this machine, with pretend GPUs, for tests and demos."""

from __future__ import annotations

from pathlib import Path

import click

from hubbub.cli.output import print_note, progress

directory_option = click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".hubbub-slurm"),
    show_default=True,
    help="Where the cluster keeps its files.",
)


@click.command()
@click.option("--nodes", type=click.IntRange(1, 1_000), default=4, show_default=True)
@click.option("--gpus-per-node", type=click.IntRange(1, 16), default=8, show_default=True)
@click.option("--fleet", "fleet_file", metavar="FILE", help="A fleet's TOML, instead of --nodes.")
@directory_option
def up(nodes: int, gpus_per_node: int, fleet_file: str | None, directory: Path) -> None:
    """Start Slurm on 127.0.0.1, and return when its nodes are idle."""
    from hubbub.fleet.slurm.cluster import start
    from hubbub.fleet.spec import FleetSpec, Pool, Site, Tenant, read_fleet

    if fleet_file:
        spec = read_fleet(fleet_file)
    else:
        pool = Pool(
            name="hall", num_nodes=nodes, gpus_per_node=gpus_per_node, site="hall", busy_kw_per_gpu=1.0
        )
        spec = FleetSpec(
            pools=(pool,),
            tenants=(
                Tenant(name="xai", priority=20),
                Tenant(name="x", priority=20),
                Tenant(name="tesla", priority=10),
            ),
            sites=(Site(name="hall", cap_kw=float(nodes * gpus_per_node)),),
        )
    with progress() as line:
        start(directory, spec, tell=line.show)
    names = ", ".join(tenant.name for tenant in spec.tenants)
    print_note(f"partitions {names}; Slurm's own commands see it with")
    click.echo(f"export SLURM_CONF={directory.resolve() / 'slurm.conf'}")


@click.command()
@directory_option
def down(directory: Path) -> None:
    """Cancel its jobs and stop the Slurm of `hubbub fleet up`."""
    from hubbub.fleet.slurm.cluster import find

    find(directory).stop()
    print_note(f"the Slurm of {directory} has stopped")
