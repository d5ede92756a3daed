"""`hubbub demo`: the flood night of an invented town, replayed live, with the page or three questions."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import click

from hubbub.cli.ask import show_answer
from hubbub.cli.options import json_option
from hubbub.cli.output import print_note
from hubbub.cli.serve import serve_house
from hubbub.config import read_config
from hubbub.sample import EXAMPLE_QUESTIONS, SAMPLE_QUESTIONS, sample_path
from hubbub.server.house import House
from hubbub.stream import ReplayClock, ReplaySource
from hubbub.stream import follow as follow_source
from hubbub.units import format_time, parse_time_us

LIVE_FROM = "2026-03-14T21:30:00Z"
"""The page opens here, in the middle of the rumour; what came before is there already."""

NOTICE = "Every town, person and post in this demo is invented."


@click.command()
@click.option("--once", is_flag=True, help="Ask three sample questions in the terminal and leave.")
@click.option(
    "--speed", type=float, default=60.0, show_default=True, help="Times faster than the night itself."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8888, show_default=True, help="0 takes a free port."
)
@json_option
def demo(once: bool, speed: float, port: int, as_json: bool) -> None:
    """See it work on the bundled flood night of an invented town."""
    clock = ReplayClock(speed)
    with tempfile.TemporaryDirectory(prefix="hubbub-demo-") as directory:
        config = read_config({"data": str(Path(directory) / "flood-night"), "port": port})
        with House(config, is_writer=True, clock=clock.now_us, is_invented=True) as house:
            print_note(NOTICE)
            if once:
                _ask_samples(house, as_json)
            else:
                _serve_live(house, clock, as_json)


def _ask_samples(house: House, as_json: bool) -> None:
    """Play up to each question's time and ask it then, as somebody there would have."""
    for question in SAMPLE_QUESTIONS:
        _play_until(house, question.clock_us)
        if not as_json:
            click.echo(f"\n> {format_time(question.clock_us)}  {question.text}\n")
        show_answer(house.ask(question.text, clock_us=question.clock_us), as_json)


def _serve_live(house: House, clock: ReplayClock, as_json: bool) -> None:
    live_from_us = parse_time_us(LIVE_FROM)
    _play_until(house, live_from_us)
    clock.start(live_from_us)
    house.follow(ReplaySource(str(sample_path()), clock=clock))
    examples = [(question.text, question.lang) for question in EXAMPLE_QUESTIONS]
    serve_house(house, house.config, examples=examples, as_json=as_json)


def _play_until(house: House, until_us: int) -> None:
    """Play the sample day without pauses up to a time, from where it was left."""
    clock = ReplayClock(math.inf)
    follow_source(ReplaySource(str(sample_path()), until_us=until_us, clock=clock), house.archive)
    house.wait_until_folded(house.archive.last_seq)
