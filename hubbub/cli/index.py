"""`hubbub index`: what the index holds, rebuilding it, and teaching it the words of your own stream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from hubbub.cli.lazy import LazyVerbs
from hubbub.cli.options import data_options, json_option, open_local, read_settings
from hubbub.cli.output import format_table, print_json, print_note, progress
from hubbub.errors import HubbubError, InvalidInput
from hubbub.index.removal import remove_index
from hubbub.posts import Post, PostId
from hubbub.server.house import House


@click.group(cls=LazyVerbs)
def index() -> None:
    """Look into the index, rebuild it, or teach it the words of your own stream."""


@index.command()
@data_options
@json_option
def show(as_json: bool, **flags: Any) -> None:
    """Show what the index holds."""
    with open_local(read_settings(**flags)) as house:
        stats = msgspec.to_builtins(house.index.stats())
    if as_json:
        print_json(stats)
    else:
        click.echo(format_table(("what", "value"), [(key, str(value)) for key, value in stats.items()]))


@index.command()
@click.option(
    "--teacher",
    type=click.Choice(["minilm"]),
    help="Learn from this model too (pip install 'hubbub[rerank]').",
)
@click.option(
    "--out", metavar="FILE", help="Where the table goes [default: learned.npz in the data directory]."
)
@data_options
@json_option
def learn(teacher: str | None, out: str | None, as_json: bool, **flags: Any) -> None:
    """Refit the embedding table on the living posts of your own stream, within minutes."""
    from hubbub.index.embedding import open_embedder
    from hubbub.index.embedding.static import StaticEmbedder
    from hubbub.index.learn import learn as learn_table

    config = read_settings(**flags)
    base = open_embedder(config.embedder)
    if not isinstance(base, StaticEmbedder):
        raise InvalidInput(
            f"embedder {config.embedder!r} is not a table that can learn; use --embedder static"
        )
    path = Path(out or Path(config.data) / "learned.npz")
    with open_local(config) as house:
        texts = list(_living_texts(house))
    table, lesson = learn_table(texts, base, open_embedder(teacher) if teacher else None)
    table.write(path)
    if as_json:
        print_json({**msgspec.to_builtins(lesson), "table": str(path)})
    else:
        learned = f"{lesson.num_new_words:,} new words, {lesson.num_taught:,} posts taught"
        click.echo(f"{lesson.num_posts:,} posts read, {learned}: {path}")
        print_note(f"use it: hubbub index rebuild --embedder {path} (and set embedder in hubbub.toml)")


def _living_texts(house: House) -> Iterator[str]:
    """Yield the newest texts of the archive's living posts, oldest first."""
    batch: list[PostId] = []
    with progress() as line:
        for seq, event in house.archive.read():
            if isinstance(event, Post) and event.text:
                batch.append(event.id)
            if len(batch) >= 1000:
                line.show(f"reading {seq:,} of {house.archive.last_seq:,}")
                yield from (post.text for post in house.index.fetch(batch).values())
                batch.clear()
        yield from (post.text for post in house.index.fetch(batch).values())


@index.command()
@data_options
@json_option
def rebuild(as_json: bool, **flags: Any) -> None:
    """Throw the index away and fold the archive again, for instance with another --embedder."""
    config = read_settings(**flags)
    directory = Path(config.data) / "index"
    if config.index not in ("edge", "sqlite"):
        raise HubbubError(
            f"index {config.index!r} is a server's; delete its collection there, then run `hubbub ask`"
        )
    remove_index(directory)
    with open_local(config) as house:
        stats = house.index.stats()
    if as_json:
        print_json(stats)
    print_note(f"{stats.num_posts:,} posts indexed")
