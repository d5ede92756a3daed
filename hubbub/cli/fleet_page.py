"""`hubbub fleet page`: a fleet in pictures, live, on this machine; nothing can be changed there."""

from __future__ import annotations

from typing import Any

import click

from hubbub.cli.fleet_cluster import on_option
from hubbub.cli.options import json_option
from hubbub.cli.output import print_json, print_note


@click.command()
@on_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8899, show_default=True, help="0: a free one.")
@click.option("--public", is_flag=True, help="Allow a --host that others can reach: they read all names.")
@click.option("--every", "every_s", type=click.FloatRange(0.2, 3_600), default=2.0, show_default=True,
              metavar="SECONDS", help="Between looks, one for all viewers.")  # fmt: skip
@click.option("--deliveries", "orders_file", metavar="FILE", help="Orders, if the fleet's file has none.")
@json_option
def page(
    url: str, host: str, port: int, public: bool, every_s: float, orders_file: str | None, as_json: bool
) -> None:
    """Show a running fleet as one page of pictures; Ctrl-C ends it, the fleet goes on."""
    from hubbub.fleet.deliveries import plan_deliveries, read_orders
    from hubbub.fleet.launcher import open_launcher
    from hubbub.fleet.page.app import create_page
    from hubbub.fleet.page.watch import Watch
    from hubbub.web.guard import LOCAL_HOSTS
    from hubbub.web.run import check_host, serve

    check_host(host, is_public=public)
    plan = plan_deliveries(read_orders(orders_file)) if orders_file else None
    watch = Watch(lambda: open_launcher(url), plan=plan, every_s=every_s)

    def on_ready(address: str) -> None:
        if as_json:
            print_json({"url": address})
        print_note(f"the fleet is at {address}  (Ctrl-C ends the page, not the fleet)")

    hosts: Any = None if public else LOCAL_HOSTS
    serve(create_page(watch, hosts=hosts), host, port, on_ready, is_public=public)
