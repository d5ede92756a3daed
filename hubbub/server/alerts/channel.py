"""One standing question's alerts on their way to its readers: what still stands, and what was taken back."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from hubbub.assistant.answer import Retraction, Shown
from hubbub.server.alerts.subject import Alert, Subject
from hubbub.server.watch import Watch
from hubbub.web.wire import encode_event

MAX_KEPT = 50
"""Alerts that are watched for deletions, and given to a reader who comes again."""


class Started(msgspec.Struct, frozen=True, kw_only=True, tag="started"):
    """What a reader may expect."""

    query: str
    novelty: str
    min_voices: int
    interval_s: float
    a_day: int
    num_known: int
    """Statements of before, which nothing new may only repeat."""
    clock_us: int
    is_resumed: bool
    """Whether everything since the reader's last event follows; else look anew at what is known."""


class Channel:
    """All who watch one question; of the event loop, but for `subject` and `watch`, whose calls block."""

    def __init__(self, text: str, novelty: str, subject: Subject, watch: Watch, max_buffered: int) -> None:
        self.subject = subject
        self.watch = watch
        self.is_learned = False
        """Whether the first state of affairs is known; before that nothing can be new."""
        self.looked_s = 0.0
        self.turn = anyio.Lock()
        """An alert is checked and sent, or a change looked at and told, never both at once."""
        self.learning = anyio.Lock()
        self._text, self._novelty = text, novelty
        self._token = secrets.token_hex(4)
        self._max_buffered = max_buffered
        self._readers: dict[MemoryObjectReceiveStream[bytes], MemoryObjectSendStream[bytes]] = {}
        self._standing: OrderedDict[int, bytes] = OrderedDict()
        self._withdrawn: OrderedDict[int, bytes] = OrderedDict()
        self._left_s = time.monotonic()

    @property
    def idle_s(self) -> float:
        """How long nobody has been reading."""
        return 0.0 if self._readers else time.monotonic() - self._left_s

    def join(self, last_id: str, clock_us: int) -> MemoryObjectReceiveStream[bytes]:
        """Begin to read behind the event `last_id`, or with the next alert if that is not one of ours."""
        send, receive = anyio.create_memory_object_stream[bytes](self._max_buffered)
        last = self._number_of(last_id)
        level = self.subject.level
        started = Started(
            query=self._text,
            novelty=self._novelty,
            min_voices=level.min_voices,
            interval_s=level.interval_us / 1e6,
            a_day=level.a_day,
            num_known=self.subject.memory.num_known,
            clock_us=clock_us,
            is_resumed=last is not None,
        )
        frames = [encode_event("started", started)]
        if last is not None:
            frames += [frame for number, frame in self._withdrawn.items() if number <= last]
            frames += [frame for number, frame in self._standing.items() if number > last]
        send.send_nowait(b"".join(frames))
        self._readers[receive] = send
        return receive

    def leave(self, receive: MemoryObjectReceiveStream[bytes]) -> None:
        """Stop reading."""
        receive.close()
        if send := self._readers.pop(receive, None):
            send.close()
        self._left_s = time.monotonic()

    def tell(self, alert: Alert) -> int:
        """Send an alert to all; return how many readers were too slow and were dropped."""
        number = alert.sentence.id
        frame = encode_event("alert", alert, f"{self._token}-{number}")
        self._standing[number] = frame
        while len(self._standing) > MAX_KEPT:
            oldest, _ = self._standing.popitem(last=False)
            self.watch.note_retraction(Retraction(sentence=oldest, post=""))
        return self._send(frame)

    def withdraw(self, fallen: Retraction) -> int:
        """Take an alert back, for all and for those who come again; return how many readers were dropped."""
        self._standing.pop(fallen.sentence, None)
        frame = encode_event("retraction", fallen)
        self._withdrawn[fallen.sentence] = frame
        while len(self._withdrawn) > MAX_KEPT:
            self._withdrawn.popitem(last=False)
        return self._send(frame)

    def check(self, alert: Alert) -> bool:
        """Note what is about to be shown and tell whether it still may be."""
        return self.watch.pass_sentence(Shown(sentence=alert.sentence)) is not None

    def close(self) -> None:
        """End all reading."""
        for send in self._readers.values():
            send.close()
        self._readers.clear()

    def _send(self, frame: bytes) -> int:
        slow = []
        for receive, send in self._readers.items():
            try:
                send.send_nowait(frame)
            except (anyio.WouldBlock, anyio.BrokenResourceError):
                slow.append(receive)  # it would miss a deletion; it may come again with its last id
        for receive in slow:
            self._readers.pop(receive).close()
        return len(slow)

    def _number_of(self, event_id: str) -> int | None:
        token, _, number = event_id.partition("-")
        return int(number) if token == self._token and number.isdecimal() and number.isascii() else None
