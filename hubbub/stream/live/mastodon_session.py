"""One connection to a Mastodon server while it is read: the gap before it, its events, what has gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Protocol

import msgspec

from hubbub.posts import Cursor
from hubbub.stream.counts import Counts
from hubbub.stream.decode.claimed_time import read_time_us
from hubbub.stream.decode.mastodon import MastodonDecoder
from hubbub.stream.live.canary import Canary
from hubbub.stream.live.intake import Intake
from hubbub.stream.live.link import Disconnected, Refused
from hubbub.stream.live.mastodon_numbers import Numbers
from hubbub.stream.live.mastodon_rest import CHECKED, Rest, Status, order_of
from hubbub.stream.source import Batch
from hubbub.units import now_us

MAX_PAGES = 500
"""A gap is filled up to so many pages of 40: a busy server's day."""
_PAUSE_S = 300.0
"""After the server has refused a check, so long none is made."""


class Messages(Protocol):
    """A WebSocket, or events over HTTP."""

    def receive(self, timeout_s: float) -> list[bytes]:
        """Return what has arrived."""

    def __enter__(self) -> Messages: ...

    def __exit__(self, *error: object) -> None: ...


class _Frame(msgspec.Struct):
    event: str = ""
    payload: str | int | None = None


class _Stamped(Status):
    created_at: str | None = None


_frame_decoder = msgspec.json.Decoder(_Frame)
_status_decoder = msgspec.json.Decoder(_Stamped)


class MastodonSession:
    """Reads until the connection breaks."""

    def __init__(
        self,
        rest: Rest,
        messages: Messages,
        numbers: Numbers,
        canary: Canary,
        counts: Counts,
        after: Cursor | None,
        size: int,
        check_s: float,
    ) -> None:
        self._rest, self._messages, self._numbers, self._canary = rest, messages, numbers, canary
        self._vitals, self._size, self._check_s = counts.vitals, size, check_s
        self._newest = after or ""
        self._known = after or ""
        self._intake = Intake(MastodonDecoder(numbers, is_strict=True), counts, lambda: self._newest or None)
        self._check_at_s = time.monotonic() + check_s
        self._place: int | None = None

    def read(self, stream: str, tag: str, stop: threading.Event) -> Iterator[Batch]:
        """Yield what was missed, then what comes; an empty batch now and then while nothing does."""
        yield from self._fill_gap(stream, tag, stop) if self._known else self._begin(stream, tag)
        self._vitals.enter("live", now_us())
        while not stop.is_set():
            yield from self._intake.gather(self._messages.receive, self._accept, self._size)
            if time.monotonic() >= self._check_at_s:
                self._check_at_s = time.monotonic() + self._check_s
                yield from self._check()
            yield from self._intake.flush()
            self._canary.check()

    def _begin(self, stream: str, tag: str) -> Iterator[Batch]:
        """Note where the stream begins: what comes behind that must not be missed."""
        try:
            self._newest = self._known = self._rest.newest(stream, tag) or ""
        except Refused as error:
            self._vitals.note_gap(f"the timeline cannot be read, so breaks will leave gaps: {error}")
        yield Batch([], self._newest or None)

    def _fill_gap(self, stream: str, tag: str, stop: threading.Event) -> Iterator[Batch]:
        try:
            for number, page in enumerate(self._rest.missed(stream, tag, self._known)):
                if stop.is_set():
                    return
                if number == MAX_PAGES:
                    self._vitals.note_gap(f"more was missed than {MAX_PAGES} pages of the timeline")
                    break
                self._intake.arrive()
                for raw in page:
                    yield from self._take_status(bytes(raw), bytes(raw), is_missed=True)
                yield from self._intake.flush()
        except Refused as error:
            if error.status == 429 or error.status >= 500:
                raise  # it may be read later
            self._vitals.note_gap(f"what was missed cannot be read: {error}")
        self._known = self._newest

    def _accept(self, message: bytes) -> Iterator[Batch]:
        try:
            frame = _frame_decoder.decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield from self._intake.take(message)  # which counts it as malformed
            return
        self._canary.count(frame.event)
        if frame.event in ("update", "status.update"):
            yield from self._take_status(message, str(frame.payload).encode(), frame.event)
        elif frame.event == "delete":
            yield from self._intake.take(message)
            self._numbers.note_gone(str(frame.payload))
        else:
            self._vitals.note_notice(frame.event[:60])

    def _take_status(
        self, line: bytes, data: bytes, event: str = "update", *, is_missed: bool = False
    ) -> Iterator[Batch]:
        try:
            status = _status_decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield from self._intake.take(line)
            return
        is_new = event == "update"
        is_old = is_new and order_of(status.id) <= order_of(self._newest)
        yield from self._intake.take(line, may_repeat=is_missed or is_old)
        if status.edited_at:
            self._numbers.note_edit(status.id, status.edited_at)
        # A number that is far too long is none; it would spoil the cursor.
        if is_new and not is_old and len(status.id) <= len(self._newest or status.id) + 1:
            self._newest = status.id
        claimed_us = read_time_us(status.created_at)
        if is_new and claimed_us is not None:
            self._vitals.platform_lag_ms = (self._intake.received_us - claimed_us) / 1000

    def _check(self) -> Iterator[Batch]:
        """Ask whether the next twenty stored statuses are still there, and as they were."""
        rows = self._numbers.before(self._place, CHECKED)
        self._place = rows[-1][0] if rows else None
        if not rows:
            return
        try:
            living = self._rest.living([number for _, number, _ in rows])
            if not living and not self._rest.is_gone(rows[0][1]):
                return  # a server that suddenly knows none of them has not deleted them all
        except Disconnected as error:
            self._vitals.note_notice("a check was refused")
            asked_s = error.retry_s if isinstance(error, Refused) else None
            self._check_at_s = time.monotonic() + (asked_s or _PAUSE_S)
            return
        self._intake.arrive()
        for _, number, edited in rows:
            status, raw = living.get(number, (None, b""))
            if status is None:
                self._vitals.note_notice("gone at a check")
                yield from self._intake.take(_frame("delete", number))
                self._numbers.note_gone(number)
            elif (status.edited_at or "") != edited:
                self._numbers.note_edit(number, status.edited_at or "")
                yield from self._intake.take(_frame("status.update", bytes(raw).decode()))


def _frame(event: str, payload: str) -> bytes:
    return msgspec.json.encode({"event": event, "payload": payload})
