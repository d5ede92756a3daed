"""Stamps the time on what the process that keeps the index does with deletions; `receipts.py` reads it."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Collection, Sequence

import msgspec

from hubbub.index import Index
from hubbub.posts import AccountEvent, ConsentEvent, Event, PostId
from hubbub.server.receipts import (
    RETRACTED,
    Ledger,
    identify,
    oldest_unerased_us,
    read_ledger,
    retraction_key,
)
from hubbub.stream import Archive
from hubbub.stream.archive.erasure import erases
from hubbub.stream.archive.marks import Marks, path_of
from hubbub.stream.archive.records import Record, RecordFile
from hubbub.units import US_PER_S, now_us

BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Of the histogram from received to gone; 1 s is the promise."""


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """How long deletions took from our receiving them to being gone, since this process began."""

    num_within: tuple[int, ...]
    """For each of `BOUNDS_S`, and without bound."""
    sum_s: float
    oldest_unerased_us: int | None


class Stamps:
    """The receipts of one open house: written as it goes on, read by anybody."""

    def __init__(self, archive: Archive, index: Index, erase_s: float, *, is_replay: bool = False) -> None:
        """Go on where the last process left off; a replay's recorded times are not waited for."""
        self._archive, self._index, self._erase_s, self._is_replay = archive, index, erase_s, is_replay
        self._gone = Marks(archive.directory, "gone")
        self._cleared = Marks(archive.directory, "cleared")
        self._retracted = RecordFile(path_of(archive.directory, RETRACTED), _newer_half)
        self._is_index_ours = index.erased_seq is not None
        self._lock = threading.Lock()
        self._num_waits = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0
        if self._gone.last_seq:  # what was folded between the last mark and a kill -9
            self._gone.note(index.position, index.position, now_us())

    def note_folded(self, batch: Sequence[tuple[int, Event]]) -> None:
        """Stamp deletions that the index has just obeyed."""
        at_us = now_us()
        gone = [(seq, event.received_us) for seq, event in batch if erases(event)]
        if not gone or gone[-1][0] <= self._gone.last_seq:
            return
        self._gone.note(gone[0][0], gone[-1][0], at_us)
        if not self._is_replay:
            for _, received_us in gone:
                wait_s = max(0, at_us - received_us) / US_PER_S
                self._num_waits[bisect_left(BOUNDS_S, wait_s)] += 1
                self._sum_s += wait_s

    def note_cleared(self) -> None:
        """Stamp deletions whose text has left the index's files by now; cheap where there is nothing new."""
        if self._cleared.last_seq < self._gone.last_seq:
            erased_seq = self._index.erased_seq
            if erased_seq is not None:
                self._cleared.note(1, min(erased_seq, self._gone.last_seq), now_us())

    def note_retracted(
        self, changes: Collection[Event], fallen: Collection[tuple[PostId, str | None]]
    ) -> None:
        """Stamp what open answers have just taken back: each post that fell, with its author if known."""
        at_us = now_us()
        by_author = {e.author: e for e in changes if isinstance(e, AccountEvent | ConsentEvent) and erases(e)}
        numbers: dict[str, int] = {}
        for post, author in fallen:
            name = identify(by_author[author]) if author in by_author else post
            numbers[name] = numbers.get(name, 0) + 1
        with self._lock:
            for name, number in numbers.items():
                self._retracted.append((retraction_key(name), number, at_us))

    def waits(self) -> Waits:
        """Return what the metrics tell."""
        num_within, total = [], 0
        for number in self._num_waits:
            total += number
            num_within.append(total)
        return Waits(
            num_within=tuple(num_within),
            sum_s=self._sum_s,
            oldest_unerased_us=oldest_unerased_us(self._archive.directory, self._is_index_ours),
        )

    def read(self, limit: int, since_us: int | None = None, post: PostId | None = None) -> Ledger:
        """Read the newest receipts."""
        return read_ledger(
            self._archive,
            self._erase_s,
            is_index_ours=self._is_index_ours,
            limit=limit,
            since_us=since_us,
            post=post,
        )


def _newer_half(records: list[Record]) -> list[Record]:
    return records[len(records) // 2 :]
