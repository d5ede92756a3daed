"""`hubbub ask`: a question in, verified sentences out as they pass."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable

import click

from hubbub.assistant import Answer, AnswerEvent, Done, Found, Shown, render
from hubbub.cli.options import (
    Moment,
    data_options,
    json_option,
    model_option,
    open_house,
    read_settings,
    rerank_option,
)
from hubbub.cli.output import print_json, progress


@click.command()
@click.argument("question", nargs=-1, required=True)
@click.option(
    "--at", "clock_us", type=Moment(), help="Answer as of this time, as 2011-01-28T18:00Z or 3h (ago)."
)
@model_option
@rerank_option
@data_options
@json_option
def ask(question: tuple[str, ...], clock_us: int | None, as_json: bool, **flags: object) -> None:
    """Ask what is happening; every sentence of the answer quotes a living post."""
    with open_house(read_settings(**flags)) as house:
        show_answer(house.ask(" ".join(question), clock_us=clock_us), as_json)


def show_answer(events: Iterable[AnswerEvent], as_json: bool) -> None:
    """Print an answer once it is whole; until then a terminal sees how far it is."""
    answer = _collect(events)
    if as_json:
        print_json(answer)
    else:
        width = min(shutil.get_terminal_size((100, 24)).columns, 100)
        click.echo(render(answer, width=width, color=sys.stdout.isatty()))


def _collect(events: Iterable[AnswerEvent]) -> Answer:
    num_found = num_shown = 0
    with progress() as line:
        for event in events:
            if isinstance(event, Done):
                return event.answer
            num_found += len(event.posts) if isinstance(event, Found) else 0
            num_shown += isinstance(event, Shown)
            line.show(f"{num_found} posts found, {num_shown} sentences verified ...")
    raise AssertionError("an answer always ends with Done")
