"""A house without threads and archive: a real index, a real assistant, events folded when a test wants."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hubbub.assistant import ask
from hubbub.assistant.answer import AnswerEvent
from hubbub.index import open_index
from hubbub.posts import Deletion, Event, Post
from hubbub.server.house import Status
from hubbub.server.rules import HouseRules
from hubbub.server.scope import EVERYTHING, Scope
from hubbub.server.subscription import Listeners, Subscription

NOON_US = 1_773_489_600_000_000
"""2026-03-14, 12:00 UTC."""

MINUTE_US = 60_000_000


class SmallHouse:
    embedder = "none"

    def __init__(self, directory: Path, is_invented: bool = False) -> None:
        self.index = open_index(f"sqlite:{directory}", embedder=self.embedder)
        self.is_invented = is_invented
        self.clock_us = NOON_US
        self.last_deletion_us: int | None = None
        self.num_questions = 0
        self.error: str | None = None
        self._seq = 0
        self._lock = threading.Lock()
        self._listeners = Listeners()

    def add(self, *events: Event) -> None:
        with self._lock:
            numbered = [(self._seq + n, event) for n, event in enumerate(events, 1)]
            self._seq = self.index.fold(numbered)
            for event in events:
                self.clock_us = max(self.clock_us, event.received_us)
                if isinstance(event, Deletion):
                    self.last_deletion_us = event.received_us
            self._listeners.publish(events)

    def delete(self, *posts: str) -> None:
        self.add(*(Deletion(id=post, received_us=self.clock_us) for post in posts))

    def now_us(self) -> int:
        return self.clock_us

    def ask(
        self,
        question: str,
        clock_us: int | None = None,
        scope: Scope = EVERYTHING,
        rules: HouseRules | None = None,
    ) -> Iterator[AnswerEvent]:
        self.num_questions += 1
        options = {**scope.options(), **(rules.options() if rules else {})}
        return ask(scope.narrow(self.index), question, clock_us=clock_us or self.clock_us, **options)

    def subscribe(self) -> Subscription:
        return self._listeners.subscribe()

    def status(self) -> Status:
        return Status(
            name="small",
            num_posts=self.index.stats().num_posts,
            last_seq=self._seq,
            index_position=self._seq,
            posts_per_s=0.0,
            lag_ms=1.5,
            sources=("test",),
            last_deletion_us=self.last_deletion_us,
            clock_us=self.clock_us,
            is_replay=False,
            is_invented=self.is_invented,
            error=self.error,
        )

    def close(self) -> None:
        self.index.close()


def make_post(number: int, text: str, **fields: object) -> Post:
    """Make a post of an invented town; a later number is received a minute later, by another author."""
    given = {
        "id": f"https://town.example/@author{number}/{number}",
        "author": f"https://town.example/@author{number}",
        "handle": f"author{number}",
        "name": f"Author {number}",
        "text": text,
        "received_us": NOON_US + number * MINUTE_US,
        "claimed_us": NOON_US + number * MINUTE_US - 2_000_000,
        "langs": ("en",),
        "url": f"https://town.example/@author{number}/{number}",
    }
    return msgspec.convert(given | fields, Post, strict=False)


def flood() -> list[Post]:
    """Eight posts on the flood of an invented town."""
    return [
        make_post(1, "The river Ilver is over the Old Quay now, water stands knee high in Mill Lane."),
        make_post(
            2, "Water in Mill Lane is knee high, we carry everything upstairs. The river keeps rising."
        ),
        make_post(3, "School gym at Hollin Road is open for everybody who cannot go home tonight. #flood"),
        make_post(4, "They say the Hollin dam has broken and a wave is coming down the valley!"),
        make_post(5, "Fire brigade: the Hollin dam has not broken. Please do not spread the rumour. #flood"),
        make_post(6, "The old bridge is closed, buses turn back at the market since six."),
        make_post(7, "Made soup for forty people tonight, come by the church hall if you are cold."),
        make_post(8, "Die Bruecke am Markt ist gesperrt, der Fluss steigt weiter. #flood", langs=["de"]),
    ]
