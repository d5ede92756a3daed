"""`hubbub trends`: what is rising, each with a quote of a living post."""

from __future__ import annotations

from typing import Any

import click

from hubbub.assistant.display import isolated, safe_url
from hubbub.assistant.write import wording
from hubbub.cli.options import Moment, data_options, json_option, open_house, read_settings
from hubbub.cli.output import print_json, print_note
from hubbub.trends import Story


@click.command()
@click.option(
    "--hours",
    type=click.FloatRange(0, 48, min_open=True),
    default=24,
    show_default=True,
    help="How far back.",
)
@click.option("--limit", type=click.IntRange(1, 50), default=10, show_default=True, help="How many.")
@click.option("--at", type=Moment(), help="As of then: a time, or an age such as 2h [default: now].")
@data_options
@json_option
def trends(hours: float, limit: int, at: int | None, as_json: bool, **flags: Any) -> None:
    """Show what rises above its own past: independent voices, not posts, and a living quote of each."""
    with open_house(read_settings(**flags)) as house:
        stories = house.trends(hours, limit, at)
        now_us = house.now_us() if at is None else at
    for story in stories:
        if as_json:
            print_json(story)
        else:
            click.echo(_format(story, now_us))
    if not stories and not as_json:
        print_note("nothing is rising")


def _format(story: Story, now_us: int) -> str:
    head = story.headline
    who = f"@{isolated(head.handle)}" if head.handle else isolated(head.name or head.author)
    age = wording("en").age(max(now_us - story.first_seen_us, 0))
    lines = [
        f"{isolated(story.label)}: {story.num_voices} voices, {story.num_posts} posts, first {age}",
        f"  {isolated(' '.join(head.quote.split()))} ({who})",
    ]
    url = safe_url(head.url)
    return "\n".join([*lines, *([f"  {url}"] if url else [])])
