"""One data directory, opened whole: the archive, the index that folds it, and who listens; no HTTP.

Three threads at most: one folds the archive into the index, one follows each source,
one keeps house (compacts the archive).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal

import msgspec

from hubbub.assistant import AnswerEvent, ask
from hubbub.assistant.model import open_model
from hubbub.config import Config
from hubbub.errors import HubbubError, InvalidInput, StorageError
from hubbub.index import Hit, Index, open_index
from hubbub.index.rerank import open_reranker
from hubbub.index.spelling import respell_query
from hubbub.index.syntax import parse_query
from hubbub.posts import ConsentEvent, Deletion, Event, Post
from hubbub.server.blocklist import BlockList
from hubbub.server.rules import HouseRules
from hubbub.server.scope import EVERYTHING, Scope
from hubbub.server.stamps import Stamps
from hubbub.server.subscription import Listeners, Subscription
from hubbub.server.trending import Trending
from hubbub.stream import Archive, Counts, Source, follow, open_archive
from hubbub.stream.follow import refusal_of
from hubbub.trends import Story
from hubbub.units import now_us

BATCH = 512
"""Events folded at once: large enough to be cheap, small enough to be searchable in tens of milliseconds."""

BACKLOG_BATCH = 4096
"""Events folded at once while more are waiting; listeners hear of them together, within a second."""

TICK_S, BUSY_TICK_S = 0.04, 0.2
"""Events are folded at most so often, as each batch has a price of its own: some 1.2 ms."""

CALM_PER_S = 100
"""From so many events a second on the ticks grow with their number, up to `BUSY_TICK_S`."""

RATE_WINDOW_S = 10.0
REPLAY_MARK = "replay"
"""A file of this name says that the archive was filled by a replay, so that its newest post is "now"."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How the house is doing."""

    name: str
    num_posts: int
    last_seq: int
    index_position: int
    posts_per_s: float
    lag_ms: float | None
    """From our receiving the last event to its being searchable; None in a replay."""
    sources: tuple[str, ...]
    last_deletion_us: int | None
    clock_us: int
    is_replay: bool
    is_invented: bool
    error: str | None


class House:
    """Keeps one data directory up to date and answers from it; close it, or use it in a `with` block."""

    def __init__(
        self,
        config: Config,
        *,
        is_writer: bool = False,
        clock: Callable[[], int] | None = None,
        is_invented: bool = False,
    ) -> None:
        """Open the archive and the index and begin to fold.

        Raises:
            InUse: another process owns the index (or the archive, if `is_writer`).
            MissingExtra: the model or the reranker needs a package that is not installed.
        """
        self.config = config
        self.is_invented = is_invented
        self._directory = Path(config.data)
        self._clock = clock
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._rates: deque[tuple[float, int]] = deque()
        self._lag_us: int | None = None
        self._last_deletion_us: int | None = None
        self._sources: dict[str, Counts] = {}
        self._listeners = Listeners()
        self._progressed = threading.Condition()
        with ExitStack() as opened:
            self._model = open_model(config.model)
            if self._model is not None:
                opened.callback(self._model.close)
            reranker = open_reranker(config.rerank)
            self._block_list = BlockList(config)
            self.archive = _open_archive(self._directory / "archive", is_writer, config.flush_ms)
            opened.callback(self.archive.close)
            self.index: Index = open_index(
                locate_index(config),
                embedder=config.embedder,
                state=self._directory / "index",
                erase_s=config.erase_s,
                slice_posts=config.slice_posts,
            )
            opened.callback(self.index.close)
            self._opened = opened.pop_all()  # the index closes first; one that fails stops no other
        self.index.ban(self._block_list.authors)
        self.index.reranker = reranker
        self.stamps = Stamps(self.archive, self.index, config.erase_s, is_replay=self.is_replay)
        self.trending = Trending(self.archive, self.index)
        self._folded_seq = self.index.position
        self._newest_us = self.index.stats().newest_us or 0
        self._threads = [
            threading.Thread(target=self._guard, args=(self._fold,), name="fold"),
            threading.Thread(target=self._guard, args=(self._keep_trends,), name="trends"),
        ]
        if is_writer:
            self._threads.append(threading.Thread(target=self._guard, args=(self._keep_house,), name="keep"))
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> House:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    # What the server and the command line ask of a house.

    def now_us(self) -> int:
        """Tell the time: the replay's where one runs or filled this archive, else the system's."""
        if self._clock is not None:
            return self._clock()
        return self._newest_us or now_us() if self.is_replay else now_us()

    @property
    def is_replay(self) -> bool:
        """Whether recorded times stand for the times of receipt here."""
        return self._clock is not None or (self._directory / REPLAY_MARK).exists()

    def ask(
        self,
        question: str,
        clock_us: int | None = None,
        scope: Scope = EVERYTHING,
        rules: HouseRules | None = None,
    ) -> Iterator[AnswerEvent]:
        """Answer a question, as a stream of found posts, verified sentences and retractions."""
        options = {**scope.options(), **(rules.options() if rules else {})}
        return ask(
            scope.narrow(self.index),
            question,
            clock_us=clock_us or self.now_us(),
            model=self._model,
            **options,  # type: ignore[arg-type]
        )

    def search(self, text: str, limit: int, is_newest_first: bool = False) -> list[Hit]:
        """Search with the query syntax that people type.

        Raises:
            InvalidQuery: an operator's value cannot be understood.
        """
        query = parse_query(text, now_us=self.now_us())
        sort: Literal["relevance", "time"] = "time" if is_newest_first else query.sort
        return self.index.search(msgspec.structs.replace(query, limit=limit, sort=sort))

    def respell(self, text: str) -> str:
        """Return a search with words that hardly a post holds as posts spell near ones; empty if none are."""
        return respell_query(self.index, text, parse_query(text, now_us=self.now_us()))

    def trends(self, hours: float, limit: int, at_us: int | None = None) -> list[Story]:
        """Tell what is rising, each with a quote of a living post.

        Raises:
            InvalidInput: `at_us` is longer ago than a serving house holds.
        """
        return self.trending.stories(self.now_us(), hours, limit, at_us)

    def subscribe(self) -> Subscription:
        """Hear of every event right after it was folded into the index."""
        return self._listeners.subscribe()

    @property
    def counts(self) -> Mapping[str, Counts]:
        """What became of the lines of each source, by its name."""
        return self._sources

    def follow(self, source: Source) -> None:
        """Read a source in a thread of its own until it ends or the house closes."""
        counts = self._sources[source.name] = Counts()

        def read() -> None:
            follow(source, self.archive, stop=self._stop, counts=counts)

        thread = threading.Thread(target=self._guard, args=(read,), name=f"follow {source.name}")
        self._threads.append(thread)
        thread.start()

    def wait_until_folded(self, seq: int, timeout_s: float | None = None) -> bool:
        """Wait until everything up to `seq` is searchable; False if time ran out or folding failed."""
        with self._progressed:
            self._progressed.wait_for(lambda: self._folded_seq >= seq or self._error is not None, timeout_s)
        self.raise_error()
        return self._folded_seq >= seq

    @property
    def has_failed(self) -> bool:
        """Whether an error stopped a thread, or no source is left to follow: what it answers grows old."""
        self._error = self._error or refusal_of(self._sources.values())
        return self._error is not None

    def raise_error(self) -> None:
        """Raise what stopped a thread of this house, if anything did."""
        if self._error is not None:
            raise self._error

    def status(self) -> Status:
        """Report how the house is doing, at the cost of a few counters."""
        return Status(
            name=self._directory.resolve().name,
            num_posts=self.index.stats().num_posts,
            last_seq=self.archive.last_seq,
            index_position=self._folded_seq,
            posts_per_s=self._posts_per_s(),
            lag_ms=None if self._lag_us is None or self.is_replay else self._lag_us / 1000,
            sources=tuple(self._sources),
            last_deletion_us=self._last_deletion_us,
            clock_us=self.now_us(),
            is_replay=self.is_replay,
            is_invented=self.is_invented,
            error=None if self._error is None else f"{type(self._error).__name__}: {self._error}",
        )

    def close(self) -> None:
        """Stop the threads, flush and close everything; safe to call twice."""
        self._stop.set()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        self._opened.close()

    # The threads.

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except HubbubError as error:
            self._fail(error)
        except Exception as error:  # a bug of ours: stop loudly rather than serve stale answers
            self._fail(error)
            raise

    def _fail(self, error: BaseException) -> None:
        with self._progressed:
            self._error = self._error or error
            self._progressed.notify_all()

    def _fold(self) -> None:
        limit, before_s = BATCH, 0.0
        while not self._stop.is_set():
            self._obey_block_list()
            if self.archive.wait(self._folded_seq, 0.25):
                start_s = time.monotonic()
                batch = list(self.archive.read(after=self._folded_seq, limit=limit))
                self._fold_batch(batch)
                if len(batch) < limit:
                    rate_per_s = len(batch) / (start_s - before_s)
                    tick_s = min(BUSY_TICK_S, TICK_S * max(1.0, rate_per_s / CALM_PER_S))
                    self._stop.wait(max(0.0, start_s + tick_s - time.monotonic()))
                before_s = start_s
                limit = BACKLOG_BATCH if len(batch) == limit else BATCH
            self.stamps.note_cleared()

    def _keep_trends(self) -> None:
        self.trending.keep_up(self._stop, lambda: self._folded_seq)

    def _obey_block_list(self) -> None:
        """Hide whom the operator has just blocked, and have open answers looked at again."""
        if changed := self._block_list.reread():
            blocked, at_us = self._block_list.authors, now_us()
            self.index.ban(blocked)
            self._listeners.publish(
                [
                    ConsentEvent(author=a, scope="show", allow=a not in blocked, received_us=at_us)
                    for a in sorted(changed)
                ]
            )

    def _fold_batch(self, batch: list[tuple[int, Event]]) -> None:
        last_seq = self.index.fold(batch)
        self.stamps.note_folded(batch)
        events = [event for _, event in batch]
        self._note(events)
        with self._progressed:
            self._folded_seq = last_seq
            self._progressed.notify_all()
        self._listeners.publish(events)

    def _note(self, events: list[Event]) -> None:
        newest_us = max(event.received_us for event in events)
        self._newest_us = max(self._newest_us, newest_us)
        self._lag_us = now_us() - newest_us
        self._rates.append((time.monotonic(), sum(isinstance(event, Post) for event in events)))
        while self._rates and self._rates[0][0] < time.monotonic() - RATE_WINDOW_S:
            self._rates.popleft()
        deletions = [event.received_us for event in events if isinstance(event, Deletion)]
        if deletions:
            self._last_deletion_us = max(deletions)

    def _posts_per_s(self) -> float:
        since_s = time.monotonic() - RATE_WINDOW_S
        return sum(number for at_s, number in list(self._rates) if at_s >= since_s) / RATE_WINDOW_S

    def _keep_house(self) -> None:
        erase_in_time(self.archive, self.config.erase_s, self._stop)


def erase_in_time(archive: Archive, erase_s: float, stop: threading.Event) -> None:
    """Erase deleted text from the archive well within the promised time, until `stop` is set.

    Raises:
        StorageError: the disk refused; nothing is lost.
    """
    while not stop.wait(max(1.0, erase_s / 4)):
        archive.compact(now_us())


def _open_archive(directory: Path, is_writer: bool, flush_ms: int) -> Archive:
    if is_writer:
        return open_archive(directory, "w", flush_ms=flush_ms)
    try:
        directory.mkdir(parents=True, exist_ok=True)  # so that `serve` may be started before `follow`
    except OSError as error:
        raise StorageError(
            f"cannot create {str(directory)!r}: {error.strerror}; choose another --data"
        ) from None
    return open_archive(directory, "r")


def locate_index(config: Config) -> str:
    """Turn the `index` setting into the URL of this data directory's index.

    Raises:
        InvalidInput: it is neither a backend's name nor a URL.
    """
    if config.index in ("edge", "sqlite"):
        return f"{config.index}:{Path(config.data) / 'index'}"
    if ":" not in config.index:
        raise InvalidInput(f"index {config.index!r} is not known; use edge, sqlite or http://HOST")
    return config.index
