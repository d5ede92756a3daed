"""Keeps trends beside the index, and shows only what living posts still say; no HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from hubbub.assistant.display import safe_handle, safe_name, safe_url
from hubbub.errors import InvalidInput
from hubbub.index import Index
from hubbub.posts import Event
from hubbub.server.topics import topic_terms
from hubbub.stream import Archive
from hubbub.trends import Story, Trend, Trends, quote
from hubbub.trends.held import HELD_US
from hubbub.units import format_time

REBUILT_EVENTS = 200_000
"""After a start so many of the archive's last events are folded again, in the background: some minutes."""
BATCH = 32
"""Events folded at once: some 3 ms, in which others wait for the interpreter."""
_REST, _LONG_REST = 2.0, 12.0
"""Times as long as it took: behind what is new, and behind what is folded again after a start."""
_IDLE_S = 0.05
FRESH_S = 5.0
"""What is rising is computed at most this often; its quotes are checked at every showing."""
SPARE = 10
"""Trends looked at beyond those asked for, since some may have lost their posts."""


class Trending:
    """Trends of one house; folded by a thread of their own, asked by any."""

    def __init__(self, archive: Archive, index: Index) -> None:
        self._archive = archive
        self._index = index
        self._trends: Trends | None = None
        self._rising: tuple[tuple[int | None, float, int], float, list[Trend]] | None = None
        self._lock = threading.Lock()
        self._first_new = 0

    def start(self) -> None:
        """Keep up from now on; without this every question folds the archive from its beginning."""
        self._first_new = self._archive.last_seq
        self._trends = Trends(topic_terms, position=max(0, self._first_new - REBUILT_EVENTS))

    def is_behind(self, seq: int) -> bool:
        """Tell whether events up to `seq` are still to be folded here."""
        return self._trends is not None and self._trends.position < seq

    @property
    def is_complete(self) -> bool:
        """Whether all but the newest events were folded here."""
        return not self.is_behind(self._archive.last_seq - REBUILT_EVENTS // 50)

    def keep_up(self, stop: threading.Event, folded_seq: Callable[[], int]) -> None:
        """Fold what the index has folded, until `stop` is set; a thread of its own, resting most of the time.

        Deletions wait for nothing here, as every quote is checked when it is shown.
        """
        while not stop.is_set():
            seq, start_s = folded_seq(), time.monotonic()
            if self._trends is None or not self.is_behind(seq):
                stop.wait(_IDLE_S)
                continue
            after = self._trends.position
            if seq - after > 2 * REBUILT_EVENTS:
                self.start()  # so far behind, what is missing has risen long ago
                continue
            self._trends.fold(self._archive.read(after=after, limit=min(BATCH, seq - after)))
            rest = _REST if after >= self._first_new else _LONG_REST
            stop.wait(rest * (time.monotonic() - start_s))

    def stories(
        self,
        now_us: int,
        hours: float = 24,
        limit: int = 10,
        at_us: int | None = None,
        for_prompt: bool = False,
    ) -> list[Story]:
        """Return what has risen most in the `hours` before `at_us` (or now), each with a living quote.

        Of posts that may be put in a prompt, if asked.

        Raises:
            InvalidInput: a running house was asked of a time that it holds no more.
        """
        trends = self._trends
        if trends is not None and at_us is not None and at_us < now_us - HELD_US:
            raise InvalidInput(
                f"{format_time(at_us)} is more than two days before {format_time(now_us)}, "
                "and a running house holds no more; stop it and ask again"
            )
        key = (at_us, hours, limit)
        with self._lock:
            kept = self._rising
            if kept and kept[0] == key and time.monotonic() < kept[1] and trends is not None:
                rising = kept[2]
            else:
                source = trends or self._fold_all(at_us)
                rising = source.rising(now_us if at_us is None else at_us, hours, limit + SPARE)
                self._rising = (key, time.monotonic() + FRESH_S, rising)
        return self._show(rising, for_prompt)[:limit]

    def _show(self, rising: Sequence[Trend], for_prompt: bool) -> list[Story]:
        living = self._index.fetch({post for trend in rising for post in trend.posts}, for_prompt)
        stories = (quote(trend, living) for trend in rising)
        return [_made_safe(story) for story in stories if story is not None]

    def _fold_all(self, at_us: int | None) -> Trends:
        trends = Trends(topic_terms)
        batch: list[tuple[int, Event]] = []
        for seq, event in self._archive.read():
            if at_us is not None and event.received_us > at_us:
                break
            batch.append((seq, event))
            if len(batch) == BATCH:
                trends.fold(batch)
                batch = []
        trends.fold(batch)
        return trends


def _made_safe(story: Story) -> Story:
    """Give no link, handle or name that an answer would not give."""
    head = story.headline
    headline = msgspec.structs.replace(
        head, url=safe_url(head.url), handle=safe_handle(head.handle), name=safe_name(head.name)
    )
    return msgspec.structs.replace(story, headline=headline)
