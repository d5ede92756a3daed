"""Follows a Bluesky label service; what a label means is the decoder's."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator

from hubbub.errors import InvalidEvent, InvalidInput
from hubbub.posts import Cursor
from hubbub.stream.counts import Counts
from hubbub.stream.decode.bluesky_label import LabelFrame, decode_labels, read_label_frame
from hubbub.stream.live.address import Address
from hubbub.stream.live.backoff import FIRST_S, Backoff
from hubbub.stream.live.intake import Intake
from hubbub.stream.live.link import Disconnected
from hubbub.stream.live.websocket import WebSocket
from hubbub.stream.source import Batch
from hubbub.units import now_us

PATH = "/xrpc/com.atproto.label.subscribeLabels"


class Labels:
    """One label service. Without a cursor it is read from its beginning: older labels count too."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.name = f"labels:{address.netloc}"
        self.backoff = Backoff(address.seconds("wait", FIRST_S))
        self._start = address.start or "0"
        if not (self._start.isascii() and self._start.isdigit()):
            raise InvalidInput(f"{self._start!r} is not the cursor of a label service; give a number")
        self._seq = 0

    def session(
        self, after: Cursor | None, *, size: int, counts: Counts, stop: threading.Event
    ) -> Iterator[Batch]:
        """Connect and yield batches until the connection breaks; see `live.source.Platform`."""
        self._seq = int(after or self._start)
        url = f"{self._address.websocket_origin}{PATH}?cursor={self._seq}"
        with WebSocket(url, headers={"User-Agent": "hubbub"}, dead_s=self._address.dead_s) as socket:
            counts.vitals.num_connections += 1
            counts.vitals.enter("live", now_us())
            intake = Intake(decode_labels, counts, lambda: str(self._seq))
            accept = functools.partial(self._accept, intake, counts)
            while not stop.is_set():
                yield from intake.gather(socket.receive, accept, size)
                yield from intake.flush()

    def _accept(self, intake: Intake, counts: Counts, message: bytes) -> Iterator[Batch]:
        try:
            frame = read_label_frame(message)
        except InvalidEvent:
            frame = LabelFrame()  # the decoder counts it as malformed
        if frame.kind == "#error":
            if frame.error == "FutureCursor":
                counts.vitals.note_gap(
                    f"the service began anew and is read from its beginning: {frame.message}"
                )
                self._seq = 0
                yield Batch([], "0")
            raise Disconnected(f"the label service ended the stream: {frame.error}: {frame.message}")
        if frame.kind == "#info":
            counts.vitals.note_notice(frame.name)
            if frame.name == "OutdatedCursor":
                counts.vitals.note_gap(f"labels were missed: {frame.message}")
        if 0 < frame.seq <= self._seq:
            counts.note_duplicate()
            return
        yield from intake.take(message)
        self._seq = max(self._seq, frame.seq)
