"""`hubbub serve`: the page, over one data directory, until interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from hubbub.cli.follow import Complaints
from hubbub.cli.options import data_options, json_option, model_option, read_settings, rerank_option
from hubbub.cli.output import print_json, print_note
from hubbub.cli.sources import open_sources, source_options, take_source_options
from hubbub.config import Config
from hubbub.errors import InvalidInput
from hubbub.server.house import House


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on [default: 127.0.0.1].")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one [default: 8888]."
)
@click.option(
    "--public", is_flag=True, help="Allow a --host that other machines can reach (needs `hubbub keys`)."
)
@click.option(
    "--embed", multiple=True, metavar="ORIGIN", help="Let pages of https://forum.example frame an answer."
)
@model_option
@rerank_option
@click.option(
    "--follow", "sources", multiple=True, metavar="SOURCE", help="Follow this too, in the same process."
)
@source_options
@data_options
@json_option
def serve(
    sources: tuple[str, ...], public: bool, embed: tuple[str, ...], as_json: bool, **flags: Any
) -> None:
    """Open the page: ask, see posts arrive, click a quote."""
    from hubbub.server.embed import check_origins
    from hubbub.server.keys import KeyRing
    from hubbub.web.run import check_host

    origins = check_origins(embed)
    options = take_source_options(flags)
    config = read_settings(**flags)
    check_host(config.host, is_public=public)
    ring = KeyRing(Path(config.data))
    if public and ring.is_empty:
        raise InvalidInput(
            f"--public lets the network in, and {config.data!r} has no keys; "
            "make one first: hubbub keys add NAME"
        )
    opened = open_sources(config, sources, options)
    clock = None if opened.clock is None else opened.clock.now_us
    with House(config, is_writer=bool(sources), clock=clock) as house:
        for source in opened.sources:
            house.follow(source)
        serve_house(house, config, is_public=public, embed=origins, as_json=as_json)


def serve_house(
    house: House,
    config: Config,
    *,
    is_public: bool = False,
    examples: Sequence[tuple[str, str]] = (),
    embed: Sequence[str] = (),
    as_json: bool = False,
) -> None:
    """Answer HTTP over an open house until interrupted, and say on stderr where; as JSON on stdout if asked.

    Raises:
        HubbubError: the house stopped following, for instance because the disk is full.
    """
    from hubbub.server.app import create_app
    from hubbub.server.keys import KeyRing
    from hubbub.server.remote import remove_address, write_address
    from hubbub.web.guard import LOCAL_HOSTS
    from hubbub.web.run import serve as run_server

    directory = Path(config.data)
    complaints = Complaints()

    def is_over() -> bool:
        complaints.tell(house.counts)
        return house.has_failed

    def on_ready(url: str) -> None:
        write_address(directory, url)
        if as_json:
            print_json({"url": url})
        print_note(f"hubbub is at {url}  (Ctrl-C ends it)")

    house.trending.start()
    try:
        app = create_app(
            house,
            hosts=None if is_public else LOCAL_HOSTS,
            examples=examples,
            archive=house.archive.directory,
            stamps=house.stamps,
            keys=KeyRing(directory),
            trending=house.trending,
            embed=embed,
        )
        run_server(app, config.host, config.port, on_ready, is_public=is_public, is_over=is_over)
        house.raise_error()
    finally:
        remove_address(directory)
