"""`hubbub fleet deliveries`: who should get which shipment, and what lies idle otherwise."""

from __future__ import annotations

import click

from hubbub.cli.options import json_option
from hubbub.cli.output import format_table, print_json


@click.command()
@click.argument("orders_file", metavar="[FILE]", default="december-2023")
@json_option
def deliveries(orders_file: str, as_json: bool) -> None:
    """Find the swaps of shipments that leave the fewest GPUs idle; nobody gets fewer, or later.

    FILE is a TOML of [[shipments]] and [[readiness]]; without one, NVIDIA's memo of December 2023.
    """
    from importlib.resources import files

    from hubbub.fleet.deliveries import plan_deliveries, read_orders

    if orders_file == "december-2023":
        orders_file = str(files("hubbub.fleet") / "data" / "december_2023.toml")
    plan = plan_deliveries(read_orders(orders_file))
    if as_json:
        print_json({"plan": plan, "saved_gpu_days": plan.saved_gpu_days})
        return
    header = ("shipment", "arrives", "ordered by", "goes to", "GPUs", "switched on", "idle GPU-days")
    rows = [
        (
            each.shipment,
            each.arrives,
            each.ordered_by,
            f"{each.goes_to} (swap)" if each.is_swap else each.goes_to,
            f"{each.gpus:,}",
            each.switched_on or "nobody can",
            f"{each.gpus * (each.switched_on - each.arrives).days:,}" if each.switched_on else "-",
        )
        for each in plan.handings
    ]
    click.echo(format_table(header, rows))
    click.echo(
        f"idle GPU-days: {plan.idle_gpu_days_before:,} as ordered, {plan.idle_gpu_days:,} so; "
        f"{plan.saved_gpu_days:,} saved"
    )
