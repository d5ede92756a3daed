"""`hubbub watch`: a standing question; what is new is printed as it comes, and what was withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from hubbub.assistant.answer import Citation, Retraction
from hubbub.assistant.display import isolated, safe_url
from hubbub.cli.options import data_options, json_option, open_house, read_settings
from hubbub.cli.output import print_json, print_note
from hubbub.errors import HubbubError
from hubbub.server.alerts.novelty import LEVELS
from hubbub.server.alerts.subject import Alert
from hubbub.server.remote import RemoteHouse


@click.command()
@click.argument("question", nargs=-1, required=True)
@click.option(
    "--novelty",
    type=click.Choice(list(LEVELS)),
    default="medium",
    show_default=True,
    help="How new a thing must be: high disturbs seldom.",
)
@data_options
@json_option
def watch(question: Sequence[str], novelty: str, as_json: bool, **flags: Any) -> None:
    """Wait for something new about a topic; each alert quotes living posts of several voices."""
    with open_house(read_settings(**flags)) as house:
        if not isinstance(house, RemoteHouse):
            raise HubbubError("nothing arrives here now; start `hubbub follow` or `hubbub serve` beside it")
        print_note("waiting; Ctrl-C ends it")
        for event in house.watch(" ".join(question), novelty):
            if as_json:
                print_json(event)
            else:
                click.echo(_format(event))


def _format(event: Alert | Retraction) -> str:
    if isinstance(event, Retraction):
        return f"[{event.sentence}] withdrawn: a post that it quoted is gone"
    sources = [f"  {_name(citation)} {safe_url(citation.url) or ''}" for citation in event.sentence.citations]
    return "\n".join([f"[{event.sentence.id}] {event.sentence.text}", *(line.rstrip() for line in sources)])


def _name(citation: Citation) -> str:
    return f"@{isolated(citation.handle)}" if citation.handle else isolated(citation.name or citation.author)
