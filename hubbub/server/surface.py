"""What the page and the API need from a house, and the limits they keep; no HTTP, no house of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Protocol

import msgspec

from hubbub.assistant.answer import AnswerEvent
from hubbub.index.embedding import Vectors
from hubbub.index.query import Hit, Query
from hubbub.posts import Event, Post, PostId
from hubbub.server.rules import HouseRules
from hubbub.server.scope import EVERYTHING, Scope


class Searchable(Protocol):
    """The reading half of an index; called from several threads at once."""

    def search(self, query: Query) -> list[Hit]:
        """Find living, visible posts."""

    def near_words(self, word: str) -> list[str]:
        """Return what a word that hardly a post holds may be a slip for."""

    def resolve(self, query: Query) -> Query:
        """Return the query with the accounts behind the handles that it names."""

    @property
    def replies_since_us(self) -> int | None:
        """Up to when replies cannot be found by what they answer; None: all can."""

    @property
    def embedder_id(self) -> str:
        """Which model `embed` uses."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row a text."""

    def fetch(self, ids: Iterable[PostId], for_prompt: bool = False) -> dict[PostId, Post]:
        """Return those of the posts that are alive and visible (and allowed in a prompt, if asked)."""


class Subscription(Protocol):
    """One listener's bounded queue of events that have just been folded."""

    @property
    def num_dropped(self) -> int:
        """Posts left out because this listener was slow; changes and deletions never are."""

    def __enter__(self) -> Subscription: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def get(self, timeout_s: float) -> list[Event]:
        """Return what is queued, waiting up to `timeout_s` for the first event."""


class House(Protocol):
    """One data directory, opened whole; `house.House` is the real one."""

    @property
    def index(self) -> Searchable:
        """Where posts are found."""

    def now_us(self) -> int:
        """Tell the time, the replay's where one runs; microseconds since 1970 UTC."""

    def ask(
        self,
        question: str,
        clock_us: int | None = None,
        scope: Scope = EVERYTHING,
        rules: HouseRules | None = None,
    ) -> Iterator[AnswerEvent]:
        """Answer a question, event by event, by a tenant's rules of tone."""

    def subscribe(self) -> Subscription:
        """Hear of every event right after it was folded into the index."""

    def status(self) -> msgspec.Struct:
        """Report how the house is doing, at the cost of a few counters."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one server gives to all its visitors together; docs/decisions/051 tells why."""

    max_question_chars: int = 2_000
    max_body_bytes: int = 16_384
    """Of a request other than POST; nobody reads it."""
    max_post_bytes: int = 1_048_576
    """Of a POST: a long conversation has a tenth of it."""
    max_asks: int = 4
    """Answers being written at once; the next one waits for its turn."""
    max_ask_wait_s: float = 30.0
    max_lookup_wait_s: float = 5.0
    """Who would wait longer is told 429."""
    max_waiting: int = 256
    """Questions that wait, and as many searches; of more the newest of whoever has most are told 429."""
    max_streams: int = 128
    """Open event streams, an eighth of them kept for the first; the next one is told 429."""
    max_mcp_sessions: int = 256
    """Clients of the older MCP that may be at work; the next one is told 503."""
    max_hits: int = 100
    max_ids: int = 100
    """Posts that may be asked for in one request."""
    max_buffered: int = 256
    """Frames kept for a slow reader of a stream before it is dropped."""
    send_timeout_s: float = 10.0
    """A reader that takes nothing for so long is dropped."""
    watch_s: float = 1_800.0
    """A finished answer is watched for deletions so long; the reader may ask again."""
    tick_ms: int = 250
    posts_per_tick: int = 2
    """Of the posts that arrive in one tick, so many are shown; nobody reads faster than 8 a second."""
