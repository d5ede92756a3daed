"""An INVENTED valley's forum: months of threads from a seeded grammar, enough to train a small model on.

Every name and sentence comes from `grammar.txt` beside this file, which was written for this project. Each
week brings names that were not there before, so that a model can be seen to age. It reads and trains nothing.

`python -m hubbub.sample.forum --posts 60000 > forum.ndjson` writes events as `hubbub.posts` defines them.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hubbub.posts import ConsentEvent, Deletion, Event, Post
from hubbub.units import parse_time_us

START_US = parse_time_us("2026-01-05T00:00:00Z")
WEEK_US = 7 * 86_400_000_000
HOST = "https://valley.example"
_SLOT = re.compile(r"\{([^{}]*)\}")
_NEW_EACH_WEEK = ("person", "place", "band", "firm")
"""Rules that start with a few words and get invented ones as the weeks go by."""
_SYLLABLES = (
    "ar bel cor den el far gor hal il jor ker lun mar nor ol pen qui ros sel tor ul ven wil yar zen".split()
)


class Grammar:
    """Rules of a file: `name: one | other`, with `{name}` or `{this|that}` inside; drawn at random."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        text = Path(__file__).with_name("grammar.txt").read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        named = (line.split(":", 1) for line in lines)
        self.rules = {name.strip(): [part.strip() for part in body.split(" | ")] for name, body in named}

    def expand(self, text: str, bound: dict[str, str]) -> str:
        """Fill every slot; one in `bound` keeps its value, so that a thread stays with its subject."""
        while match := _SLOT.search(text):
            text = text[: match.start()] + self._fill(match.group(1), bound) + text[match.end() :]
        return text

    def sentence(self, rule: str, bound: dict[str, str]) -> str:
        """Draw one sentence or two of a rule."""
        text = self.expand(self._draw.choice(self.rules[rule]), bound)
        return text[:1].upper() + text[1:]

    def _fill(self, slot: str, bound: dict[str, str]) -> str:
        if slot in bound:
            return bound[slot]
        if slot == "number":
            return str(self._draw.choice((2, 3, 4, 5, 7, 12, 15, 20, 35, 48, 60, 90, 120, 250, 400)))
        if slot == "clock":
            return f"{self._draw.randrange(6, 23)}:{self._draw.choice(('00', '10', '15', '30', '45'))}"
        if "|" in slot:
            return self._draw.choice(slot.split("|"))
        return self._draw.choice(self.rules[slot])

    def invent(self, rule: str) -> None:
        """Add a name that no earlier week knew."""
        name = "".join(self._draw.choice(_SYLLABLES) for _ in range(self._draw.choice((2, 2, 3)))).title()
        self.rules[rule].append(self.expand(self._draw.choice(self.rules[f"{rule}_form"]), {"name": name}))


def forum_events(num_posts: int, *, seed: int = 1, num_weeks: int = 13) -> Iterator[Event]:
    """Yield about `num_posts` posts in order of receipt, with the consent of their authors and deletions.

    Nine authors in ten let their posts into a corpus; one post in two hundred is deleted an hour later.
    """
    draw = random.Random(seed)
    grammar = Grammar(draw)
    authors = [f"{HOST}/@{name}{number}" for number, name in enumerate(grammar.rules["handle"] * 40)]
    for author in authors:
        yield ConsentEvent(author=author, scope="corpus", allow=draw.random() < 0.9, received_us=START_US)
    step_us = num_weeks * WEEK_US // max(num_posts, 1)
    post_number = 0
    while post_number < num_posts:
        week = post_number * num_weeks // num_posts
        while len(grammar.rules["person"]) < 24 + 6 * week:
            for rule in _NEW_EACH_WEEK:
                grammar.invent(rule)
        for event in _thread(grammar, draw, authors, START_US + post_number * step_us, step_us, post_number):
            post_number += isinstance(event, Post)
            yield event


def _thread(
    grammar: Grammar, draw: random.Random, authors: list[str], start_us: int, step_us: int, number: int
) -> Iterator[Event]:
    topic = draw.choice(grammar.rules["topic"])
    bound = {
        name: grammar.expand(draw.choice(grammar.rules[name]), {}) for name in (*_NEW_EACH_WEEK, "thing")
    }
    lang = "de" if topic.endswith("_de") else "en"
    root: str | None = None
    last: str | None = None
    for offset in range(draw.choice((1, 1, 1, 2, 3, 4, 6))):
        rules = (
            [topic] if root is None else draw.sample((f"reply_{lang}", f"{topic}_reply"), draw.choice((1, 2)))
        )
        rules += draw.choices((topic, f"{topic}_reply"), k=draw.choice((0, 1, 1, 2)))
        author = authors[int(draw.random() ** 2 * len(authors))]
        post = Post(
            id=f"{author}/{number + offset}",
            url=f"{author}/{number + offset}",
            author=author,
            handle=author.rpartition("@")[2],
            text=" ".join(grammar.sentence(rule, bound) for rule in dict.fromkeys(rules)),
            received_us=start_us + offset * step_us,
            langs=(lang,),
            reply_to=last,
            root=root,
        )
        yield post
        root, last = root or post.id, post.id
        if draw.random() < 0.005:
            yield Deletion(id=post.id, author=author, received_us=post.received_us + 1)


def main() -> None:
    """Write the events as NDJSON to stdout."""
    parser = argparse.ArgumentParser(description=forum_events.__doc__)
    parser.add_argument("--posts", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    encoder = msgspec.json.Encoder()
    for event in forum_events(arguments.posts, seed=arguments.seed):
        sys.stdout.buffer.write(encoder.encode(event) + b"\n")


if __name__ == "__main__":
    main()
