"""`hubbub train lessons`: an index of what may be trained on, questions to it, and what its quotes answer."""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
import numpy as np

from hubbub.cli.corpus import open_events
from hubbub.cli.options import json_option
from hubbub.cli.output import Progress, print_json, print_note, progress
from hubbub.posts import Edit, Event, Post

if TYPE_CHECKING:
    from hubbub.assistant.lessons import Teacher
    from hubbub.index import Index

_BATCH = 512


@click.command()
@click.argument("archive")
@click.argument("corpus", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--limit", type=click.IntRange(1), default=4_000, show_default=True, help="Lessons at most.")
@click.option(
    "--brief/--full",
    "is_brief",
    default=True,
    show_default=True,
    help="In the form for contexts of less than 4,096 tokens, or for larger ones.",
)
@click.option("--drills", type=click.IntRange(0), default=0, show_default=True, help="Quick ones as well.")
@click.option("--held-out", "is_held_out", is_flag=True, help="Of the posts held out: to measure with.")
@click.option("--embedder", default="static", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@json_option
def lessons(
    archive: str,
    corpus: Path,
    out: Path,
    limit: int,
    is_brief: bool,
    drills: int,
    is_held_out: bool,
    embedder: str,
    seed: int,
    as_json: bool,
) -> None:
    """Make lessons in the assistant's own form from a corpus's posts.

    Each is a question, records and the reply that quotes them, checked as a model's reply is. Only posts of
    the corpus that may stand in a prompt are used, cleaned as in the corpus; none that is held out, or with
    --held-out only those. A lesson falls with any of its posts. Drills are made without a search, in a
    hundredth of the time: they teach to find a record and to copy it. ARCHIVE is an archive, or the data
    directory that holds one.
    """
    from hubbub.assistant.lessons import Teacher
    from hubbub.corpus.reader import open_corpus
    from hubbub.index import open_index
    from hubbub.train.lessons import Lessons, write_lessons

    opened = open_corpus(corpus)
    allowed = usable(opened, is_held_out=is_held_out)
    with tempfile.TemporaryDirectory() as directory, progress() as line, open_events(archive) as events:
        index = open_index(f"edge:{directory}", embedder)
        try:
            posts = _fold(index, cleaned((event for _, event in events.read()), allowed))
            random.Random(seed).shuffle(posts)
            teacher = Teacher(index, seed=seed, is_brief=is_brief)
            made = list(_made(index, teacher, posts, limit, drills, line))
        finally:
            index.close()
    about = Lessons(
        corpus=str(corpus.resolve()),
        corpus_id=opened.manifest.id,
        is_brief=is_brief,
        is_held_out=is_held_out,
        seed=seed,
        num_lessons=0,
        num_unanswerable=0,
        sha256="",
    )
    about = write_lessons(out, made, about)
    if as_json:
        print_json(about)
    else:
        click.echo(
            f"{about.num_lessons:,} lessons in {out}, {about.num_unanswerable:,} of them not to be answered"
        )
        print_note(f"next: hubbub train {'evaluate RUN --lessons' if is_held_out else 'sft RUN'} {out} ...")


def _made(
    index: Index, teacher: Teacher, posts: list[str], limit: int, num_drills: int, line: Progress
) -> Iterator[Any]:
    """Yield lessons of the first posts and drills of them all, as long as there are posts."""
    num = 0
    for post in _fetched(index, posts):
        for lesson in itertools.islice(teacher.teach(post), limit - num):
            num += 1
            yield lesson
        line.show(f"{num:,} lessons")
        if num >= limit:
            break
    yield from itertools.islice(_drills(index, teacher, posts, line), num_drills)


def _drills(index: Index, teacher: Teacher, posts: list[str], line: Progress) -> Iterator[Any]:
    """Yield drills for ever, each time round others, unless no post gives one."""
    num, num_before = 0, -1
    while num > num_before:
        num_before = num
        for post in _fetched(index, posts):
            drill = teacher.drill(post)
            if drill:
                num += 1
                line.show(f"{num:,} drills")
                yield drill


def _fetched(index: Index, posts: list[str]) -> Iterator[Post]:
    for start in range(0, len(posts), _BATCH):
        yield from index.fetch(posts[start : start + _BATCH], for_prompt=True).values()


def usable(corpus: Any, *, is_held_out: bool = False) -> set[int]:
    """Return the keys of the posts that live in a corpus's documents for training, or in those held out."""
    found: set[int] = set()
    for shard in corpus.shards():
        is_held = np.repeat(shard.columns["is_held_out"] != 0, np.diff(shard.columns["first_piece"]))
        found |= set(shard.columns["post_key"][(is_held == is_held_out) & (shard.flags() == 0)].tolist())
    return found


def cleaned(events: Iterable[Event], allowed: set[int]) -> Iterator[Event]:
    """Pass on what concerns allowed posts, with their text as the corpus has it: private data masked."""
    from hubbub.corpus.pii import clean_text
    from hubbub.corpus.shards import key_of
    from hubbub.corpus.threads import Pseudonyms

    def clean(post: Post) -> Post:
        text = Pseudonyms().replace(clean_text(post.text))
        return msgspec.structs.replace(post, text=text, links=(), mentions=(), media=(), url=None)

    for event in events:
        if isinstance(event, Post):
            if event.text and key_of(event.id) in allowed:
                yield clean(event)
        elif isinstance(event, Edit):
            if event.post.text and key_of(event.post.id) in allowed:
                yield msgspec.structs.replace(event, post=clean(event.post))
        else:
            yield event


def _fold(index: Index, events: Iterable[Event]) -> list[str]:
    """Make events searchable; return the ids of all posts."""
    found: dict[str, None] = {}
    batch: list[tuple[int, Event]] = []
    for seq, event in enumerate(events, 1):
        batch.append((seq, event))
        if isinstance(event, Post | Edit):
            found[event.id if isinstance(event, Post) else event.post.id] = None
        if len(batch) == _BATCH:
            index.fold(batch)
            batch.clear()
    index.fold(batch)
    return list(found)
