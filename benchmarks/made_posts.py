"""As many posts as a benchmark needs, from the files it is given: each once, then halves of two spliced."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import msgspec

from hubbub.posts import Post
from hubbub.stream import Counts, read_ndjson
from hubbub.stream.ndjson import open_lines

NUM_AUTHORS = 200_000
"""Authors of made posts, Zipf-distributed, as on a large platform."""


def read_posts(paths: Sequence[str]) -> list[Post]:
    """Read all posts of NDJSON files in our format, each id once."""
    posts: dict[str, Post] = {}
    for path in paths:
        with open_lines(path) as lines:
            for event in read_ndjson(lines, "hubbub", Counts()):
                if isinstance(event, Post) and event.text:
                    posts.setdefault(event.id, event)
    return list(posts.values())


def make_posts(
    sources: Sequence[Post], number: int, *, start_us: int, posts_per_s: float, seed: int = 1
) -> Iterator[Post]:
    """Yield `number` posts received at a steady rate: the sources shuffled, then spliced halves of two."""
    rng = random.Random(seed)
    order = list(sources)
    rng.shuffle(order)
    for place in range(number):
        if place < len(order):
            text, langs = order[place].text, order[place].langs
        else:
            first, second = rng.choice(order), rng.choice(order)
            text, langs = splice(first.text, second.text), first.langs
        author = min(int(rng.paretovariate(0.9)), NUM_AUTHORS)
        received_us = start_us + int(place * 1_000_000 / posts_per_s)
        yield Post(
            id=f"made://post/{place}",
            author=f"made://author/{author}",
            handle=f"author{author}",
            text=text,
            langs=langs,
            received_us=received_us,
            claimed_us=received_us,
        )


def splice(first: str, second: str) -> str:
    """Join the first half of one text with the second half of another, word by word."""
    head, tail = first.split(), second.split()
    return " ".join(head[: (len(head) + 1) // 2] + tail[len(tail) // 2 :])


def write_posts(path: str, posts: Iterator[Post]) -> None:
    """Write posts as NDJSON lines of our format."""
    encoder = msgspec.json.Encoder()
    with open(path, "wb") as file:
        for post in posts:
            file.write(encoder.encode(post) + b"\n")
