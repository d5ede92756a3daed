"""What became of each deletion, stage by stage; made from the log and the marks beside it, without any text.

A receipt is put together when somebody asks: the event stands in the archive, the times in its marks. Reading
needs no lock and no running house. What has no time is not done, unless `is_gone` or `is_erased` say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from hubbub.posts import AccountEvent, AuthorId, ConsentEvent, Deletion, PostId
from hubbub.stream import Archive
from hubbub.stream.archive.erasure import erases
from hubbub.stream.archive.marks import Mark, MarkTable, path_of
from hubbub.stream.archive.records import read_records
from hubbub.units import US_PER_S, now_us

LOOKED_AT = 10_000
"""Receipts that a summary is made of, the newest; each costs reading the events around it."""

CATCHING_UP_S = 60.0
"""An event that is archived so much after its time of receipt was not received live (decision 016)."""

_SPAN_EVENTS = 20_000
_GAP_EVENTS = 2_000
"""Marks that are no further apart are read in one go: to find a place costs as much as so many events."""

RETRACTED = "retracted"
Kind: TypeAlias = Literal["deletion", "removal", "refusal"]
Erasing: TypeAlias = Deletion | AccountEvent | ConsentEvent


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One event that takes posts away, and when each place was rid of them; microseconds since 1970 UTC."""

    seq: int
    kind: Kind
    post: PostId | None
    author: AuthorId | None
    reason: str | None
    received_us: int
    archived_us: int | None
    gone_us: int | None
    """Out of search, look-ups, new answers, vectors and prompts."""
    is_gone: bool
    num_retracted: int
    """Sentences and found posts that were taken back in open answers."""
    retracted_us: int | None
    """When the last open answer was told; None where none showed it."""
    archive_erased_us: int | None
    index_erased_us: int | None
    is_erased: bool
    """The text has left all our files; a Qdrant server erases by itself and does not tell."""
    erase_by_us: int
    is_overdue: bool


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator looks at first."""

    num_receipts: int
    num_gone: int
    gone_p50_ms: float | None
    """From our receiving it to its being gone."""
    gone_p99_ms: float | None
    num_unerased: int
    oldest_unerased_us: int | None
    """When the oldest deletion of all was archived whose text may still be on the disk."""
    num_overdue: int
    is_overdue: bool
    """Whether that one, or any of these, is overdue."""
    erase_s: float


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """Receipts, newest first."""

    summary: Summary
    receipts: list[Receipt]


def read_ledger(
    archive: Archive,
    erase_s: float,
    *,
    is_index_ours: bool = True,
    limit: int = LOOKED_AT,
    since_us: int | None = None,
    post: PostId | None = None,
) -> Ledger:
    """Read the newest receipts (all of one post, if given) and sum up; a thousand take some 50 ms.

    Raises:
        Corruption: the log is damaged.
    """
    book = _Book(archive.directory, erase_s, is_index_ours)
    receipts: list[Receipt] = []
    for seq, event in _newest_first(archive, book.archived.marks):
        if len(receipts) >= limit or (since_us is not None and event.received_us < since_us):
            break
        if post is None or (isinstance(event, Deletion) and event.id == post):
            receipts.append(book.receipt(seq, event))
    return Ledger(summary=book.sum_up(receipts), receipts=receipts)


def oldest_unerased_us(archive: Path, is_index_ours: bool) -> int | None:
    """Return when the oldest deletion was archived whose text may still be on the disk."""
    return _Book(archive, 0, is_index_ours).oldest_unerased_us()


def retraction_key(identity: str) -> int:
    """Shorten what a retraction is noted under: a post's id, or an author's with the time of the event."""
    return int.from_bytes(blake2b(identity.encode(), digest_size=8).digest(), "little")


def identify(event: Erasing) -> str:
    """Name an event for its retractions."""
    if isinstance(event, Deletion):
        return event.id
    return f"{event.author} {event.received_us}"


class _Book:
    """The marks of all stages at one moment."""

    def __init__(self, directory: Path, erase_s: float, is_index_ours: bool) -> None:
        # The later a stage, the earlier it is read: so no receipt can be ahead of itself.
        self.erased = MarkTable(directory, "erased")
        self.cleared = MarkTable(directory, "cleared") if is_index_ours else self.erased
        self._retracted: dict[int, tuple[int, int]] = {}
        for key, number, at_us in read_records(path_of(directory, RETRACTED)):
            self._retracted[key] = self._retracted.get(key, (0, 0))[0] + number, at_us
        self.gone = MarkTable(directory, "gone")
        self.archived = MarkTable(directory, "archived")
        self._erase_s, self._is_index_ours = erase_s, is_index_ours
        self._now_us = now_us()

    @property
    def erased_seq(self) -> int:
        return min(self.erased.last_seq, self.cleared.last_seq)

    def receipt(self, seq: int, event: Erasing) -> Receipt:
        num_retracted, retracted_us = self._retracted.get(retraction_key(identify(event)), (0, None))
        archived_us = self.archived.find(seq)
        erase_by_us = (archived_us or event.received_us) + int(self._erase_s * US_PER_S)
        is_erased = seq <= self.erased_seq
        return Receipt(
            seq=seq,
            kind=_kind_of(event),
            post=event.id if isinstance(event, Deletion) else None,
            author=event.author,
            reason=event.reason if isinstance(event, Deletion) else None,
            received_us=event.received_us,
            archived_us=archived_us,
            gone_us=self.gone.find(seq),
            is_gone=seq <= self.gone.last_seq,
            num_retracted=num_retracted,
            retracted_us=retracted_us,
            archive_erased_us=self.erased.find(seq),
            index_erased_us=self.cleared.find(seq) if self._is_index_ours else None,
            is_erased=is_erased,
            erase_by_us=erase_by_us,
            is_overdue=not is_erased and erase_by_us < self._now_us,
        )

    def oldest_unerased_us(self) -> int | None:
        mark = self.archived.after(self.erased_seq)
        return mark.at_us if mark else None

    def sum_up(self, receipts: Sequence[Receipt]) -> Summary:
        waits_ms = sorted((r.gone_us - _arrived_us(r)) / 1000 for r in receipts if r.gone_us is not None)
        oldest_us = self.oldest_unerased_us()
        num_overdue = sum(receipt.is_overdue for receipt in receipts)
        is_oldest_overdue = oldest_us is not None and oldest_us + self._erase_s * US_PER_S < self._now_us
        return Summary(
            num_receipts=len(receipts),
            num_gone=sum(receipt.is_gone for receipt in receipts),
            gone_p50_ms=_percentile(waits_ms, 50),
            gone_p99_ms=_percentile(waits_ms, 99),
            num_unerased=sum(not receipt.is_erased for receipt in receipts),
            oldest_unerased_us=oldest_us,
            num_overdue=num_overdue,
            is_overdue=num_overdue > 0 or is_oldest_overdue,
            erase_s=self._erase_s,
        )


def _arrived_us(receipt: Receipt) -> int:
    """Return since when it could be obeyed: what is caught up with, or replayed, was received in the past."""
    archived_us = receipt.archived_us
    is_late = archived_us is not None and archived_us - receipt.received_us > CATCHING_UP_S * US_PER_S
    return archived_us if is_late and archived_us is not None else receipt.received_us


def _kind_of(event: Erasing) -> Kind:
    if isinstance(event, Deletion):
        return "deletion"
    return "removal" if isinstance(event, AccountEvent) else "refusal"


def _newest_first(archive: Archive, marks: Sequence[Mark]) -> Iterator[tuple[int, Erasing]]:
    for first_seq, last_seq in _spans(marks):
        found = archive.read(after=first_seq - 1, limit=last_seq - first_seq + 1)
        yield from reversed([(seq, event) for seq, event in found if erases(event)])


def _spans(marks: Sequence[Mark]) -> Iterator[tuple[int, int]]:
    """Join neighbouring marks, newest first; one mark can be longer than a span."""
    span: tuple[int, int] | None = None
    for mark in reversed(marks):
        if span and span[0] - mark.last_seq <= _GAP_EVENTS and span[1] - mark.first_seq < _SPAN_EVENTS:
            span = mark.first_seq, span[1]
            continue
        if span:
            yield span
        span = mark.first_seq, mark.last_seq
    if span:
        yield span


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else None
