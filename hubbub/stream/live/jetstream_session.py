"""One connection to a Jetstream while it is read: order, repetition, notices, silence."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import msgspec

from hubbub.errors import InvalidInput
from hubbub.stream.counts import Counts
from hubbub.stream.decode.recent import Recent
from hubbub.stream.live.canary import Canary
from hubbub.stream.live.intake import Intake
from hubbub.stream.live.jetstream_frame import Head, Payload, head_decoder
from hubbub.stream.live.jetstream_position import OVERLAP_US, V1Position, V2Position
from hubbub.stream.live.link import Disconnected
from hubbub.stream.live.recheck import Recheck
from hubbub.stream.live.websocket import WebSocket
from hubbub.stream.live.zstd import Unpack
from hubbub.stream.source import Batch
from hubbub.units import US_PER_DAY, US_PER_HOUR, US_PER_S, now_us

_FRESH_US = 2 * US_PER_S
"""A stream whose events are this fresh has caught up."""
_LONG_REPLAY_US = 60 * US_PER_S
SECOND_LOOK_S = 10.0
"""Version 1 loses events where a replay goes over into the live stream (jetstream-legacy issue 42): so long
after a long replay, that place is read once more."""
_MAX_STEP = 10**10
"""No filter passes over so many events: four months of the whole network."""
_REMEMBERED = 8192
"""So many frames back, the very same one is seen to be a duplicate."""
_LOOK_BACK_US = 36 * US_PER_HOUR
"""How much version 1 keeps; an older cursor is moved up without a word."""


class JetstreamSession:
    """Reads until the connection breaks, or until it should be made anew (`look_from_us`)."""

    def __init__(
        self,
        socket: WebSocket,
        position: V1Position | V2Position,
        counts: Counts,
        canary: Canary,
        unpack: Unpack | None,
        size: int,
        look_s: float,
        recheck: Recheck | None,
    ) -> None:
        self._socket, self._position, self._canary = socket, position, canary
        self._counts, self._vitals = counts, counts.vitals
        self._unpack, self._size, self._look_s = unpack, size, look_s
        self._recheck = recheck
        self._gap_from_us: int | None = None
        """Behind this time something is missing; how much, the next event tells."""
        self._intake = Intake("jetstream", counts, self._cursor)
        self._seen: Recent[int, bool] = Recent(_REMEMBERED)
        self._newest: Head | None = None
        self._look_at_s: float | None = None
        self._resumed_us = position.resume_us if isinstance(position, V1Position) else 0
        self.look_from_us: int | None = None
        """Where the next connection must begin, if not at its own place."""

    def read(self, stop: threading.Event) -> Iterator[Batch]:
        """Yield batches; an empty one now and then while nothing comes."""
        if self._resumed_us and self._resumed_us < now_us() - _LOOK_BACK_US:
            self._note_gap("the cursor is older than the 36 hours that version 1 keeps", self._resumed_us)
        elif isinstance(self._position, V2Position) and self._position.is_by_time:
            self._note_gap("CursorTooOld: the server keeps only what is newer", self._position.time_us)
        while not stop.is_set():
            has_come = yield from self._intake.gather(self._socket.receive, self._accept, self._size)
            yield from self._intake.flush()
            yield from self._pass_on_checked(stop)
            self._note_progress(has_come)
            if self._look_at_s is not None and time.monotonic() >= self._look_at_s:
                return

    def _accept(self, message: bytes) -> Iterator[Batch]:
        try:
            line = self._unpack(message) if self._unpack else message
            head = head_decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, InvalidInput, RecursionError):
            yield from self._intake.take(message)  # which counts it as malformed
            return
        if head.error:
            raise Disconnected(f"the platform ended the stream: {head.error}: {head.message}")
        if head.payload is not None and head.payload.name:
            self._note_info(head.payload)
            return
        self._canary.count(head.collection)
        self._newest = head
        if self._gap_from_us is not None and head.witnessed_us:
            self._vitals.note_missed((head.witnessed_us - self._gap_from_us) / US_PER_S)
            self._gap_from_us = None
        yield from self._pass_on(line, head)

    def _pass_on(self, line: bytes, head: Head) -> Iterator[Batch]:
        """Decode an event unless it has come before; the place moves only once the event is in a batch."""
        if isinstance(self._position, V2Position):
            yield from self._pass_on_v2(self._position, line, head.payload.seq if head.payload else 0)
            return
        change = line if head.is_change else None
        # A time that cannot be must not move the place: one broken frame would spoil the cursor.
        has_time = 0 < head.time_us < self._intake.received_us + US_PER_DAY
        may_repeat = has_time and self._position.has_seen(head.time_us, change)
        digest = hash(line)
        if may_repeat is None or self._seen.get(digest):
            self._counts.note_duplicate()
            return
        self._seen.put(digest, True)
        yield from self._intake.take(line, may_repeat=may_repeat)
        if has_time:
            self._position.note(head.time_us, change)

    def _pass_on_v2(self, position: V2Position, line: bytes, seq: int) -> Iterator[Batch]:
        if 0 < seq <= position.seq:
            self._counts.note_duplicate()
        elif position.seq and seq > position.seq + _MAX_STEP:
            self._counts.note_malformed(f"seq {seq} cannot follow {position.seq}", "Jetstream")
        else:
            yield from self._intake.take(line)
            position.note(seq)

    def _pass_on_checked(self, stop: threading.Event) -> Iterator[Batch]:
        """Hand on what has gone since it was stored, as far as it has been asked for."""
        if self._recheck is None:
            return
        self._recheck.run(stop)
        while (checked := self._recheck.poll()) is not None:
            if checked.notice:
                self._vitals.note_notice("a check was refused")
            if checked.events:
                self._counts.num_events += len(checked.events)
                yield Batch(checked.events, may_repeat=True)
            self._recheck.keep(checked)

    def _note_gap(self, reason: str, from_us: int) -> None:
        self._vitals.note_gap(reason)
        self._gap_from_us = from_us or None
        if self._recheck is not None:
            self._recheck.begin()

    def _note_info(self, info: Payload) -> None:
        self._vitals.note_notice(info.name)
        has_told = isinstance(self._position, V2Position) and self._position.is_by_time
        if info.name == "FutureCursor" or (info.name == "OutdatedCursor" and not has_told):
            time_us = self._position.time_us if isinstance(self._position, V2Position) else 0
            self._note_gap(f"{info.name}: {info.message}", time_us)
        if info.name == "FutureCursor" and isinstance(self._position, V2Position):
            self._position.forget()

    def _cursor(self) -> str:
        if isinstance(self._position, V2Position) and self._newest is not None:
            self._position.time_us = self._newest.witnessed_us or self._position.time_us
        return self._position.cursor()

    def _note_progress(self, has_come: bool) -> None:
        """Keep the vitals, and notice that the live end is reached."""
        if self._newest is not None and has_come:
            self._vitals.platform_lag_ms = (self._intake.received_us - self._newest.witnessed_us) / 1000
        is_fresh = (self._vitals.platform_lag_ms or 0.0) * 1000 < _FRESH_US
        if self._vitals.state == "catching up" and (is_fresh or not has_come):
            self._plan_second_look()
            self._vitals.enter("live", now_us())
        self._canary.check()

    def _plan_second_look(self) -> None:
        is_v1 = isinstance(self._position, V1Position)
        if is_v1 and self._newest and self._newest.time_us - self._resumed_us > _LONG_REPLAY_US:
            self.look_from_us = max(0, self._newest.time_us - OVERLAP_US)
            self._look_at_s = time.monotonic() + self._look_s
