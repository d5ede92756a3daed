"""`hubbub search`: the posts themselves, best first."""

from __future__ import annotations

from shlex import quote

import click

from hubbub.cli.options import data_options, json_option, open_house, read_settings, rerank_option
from hubbub.cli.output import print_json, print_note
from hubbub.cli.post import format_post


@click.command()
@click.argument("query", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many posts.")
@click.option("--newest", is_flag=True, help="Order by time instead of relevance.")
@rerank_option
@data_options
@json_option
def search(query: tuple[str, ...], limit: int, newest: bool, as_json: bool, **flags: object) -> None:
    """Find posts: words, from:name, since:2011-01-28, until:, lang:de, "a phrase", -word, #tag."""
    with open_house(read_settings(**flags)) as house:
        hits = house.search(" ".join(query), limit=limit, is_newest_first=newest)
        for hit in hits:
            if as_json:
                print_json(hit)
            else:
                click.echo(format_post(hit.post, house.now_us()))
        meant = "" if as_json else house.respell(" ".join(query))
    if not hits and not as_json:
        print_note("nothing found")
    if meant:
        print_note(f"did you mean: hubbub search {quote(meant)}")
