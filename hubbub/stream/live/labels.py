"""Follows a Bluesky label service; what a label means is the decoder's."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from hubbub.errors import InvalidEvent
from hubbub.posts import Cursor
from hubbub.stream.counts import Counts
from hubbub.stream.decode.bluesky_label import decode_labels, read_label_frame
from hubbub.stream.live.address import Address
from hubbub.stream.live.backoff import FIRST_S, Backoff
from hubbub.stream.live.intake import Intake
from hubbub.stream.live.link import DEAD_S, Disconnected
from hubbub.stream.live.source import HEARTBEAT_S
from hubbub.stream.live.websocket import WebSocket
from hubbub.stream.source import Batch
from hubbub.units import now_us

PATH = "/xrpc/com.atproto.label.subscribeLabels"


class Labels:
    """One label service. Without a cursor it is read from its beginning: older labels count too."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.name = f"labels:{address.netloc}"

    def backoff(self) -> Backoff:
        """Return the usual waits."""
        return Backoff(self._address.seconds("wait", FIRST_S))

    def session(
        self, after: Cursor | None, *, size: int, counts: Counts, stop: threading.Event
    ) -> Iterator[Batch]:
        """Connect and yield batches until the connection breaks; see `live.source.Platform`."""
        seq = int(after or self._address.start or 0)
        url = f"{self._address.websocket_origin}{PATH}?cursor={seq}"
        dead_s = self._address.seconds("quiet", DEAD_S)
        with WebSocket(url, headers={"User-Agent": "hubbub"}, dead_s=dead_s) as socket:
            counts.vitals.num_connections += 1
            counts.vitals.enter("live", now_us())
            intake = Intake(decode_labels, counts, lambda: str(seq))
            while not stop.is_set():
                messages = socket.receive(HEARTBEAT_S)
                intake.arrive()
                for message in messages:
                    read = _read_seq(message, counts)
                    if read is not None and read <= seq:
                        counts.note_duplicate()
                        continue
                    yield from intake.take(message)
                    seq = max(seq, read or 0)
                yield from intake.flush()


def _read_seq(message: bytes, counts: Counts) -> int | None:
    """Return a frame's number, None where it has none; notes what the service says besides labels."""
    try:
        frame = read_label_frame(message)
    except InvalidEvent:
        return None
    if frame.kind == "#error":
        raise Disconnected(f"the label service ended the stream: {frame.error}: {frame.message}")
    if frame.kind == "#info":
        counts.vitals.note_notice(frame.name)
        if frame.name == "OutdatedCursor":
            counts.vitals.note_gap(f"labels were missed: {frame.message}")
        return None
    return frame.seq
