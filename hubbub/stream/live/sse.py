"""Server-sent events over an endless HTTP answer, as the frames that Mastodon's WebSocket would have sent."""

from __future__ import annotations

import msgspec

from hubbub.stream.live.http_stream import HttpStream
from hubbub.stream.live.link import Disconnected
from hubbub.stream.live.websocket import MAX_MESSAGE_BYTES


class SseEvents:
    """Turns `event:` and `data:` lines into frames; comments, as the heartbeat, are only signs of life."""

    def __init__(self, stream: HttpStream) -> None:
        self._stream = stream
        self._event = ""
        self._data: list[str] = []
        self._num_chars = 0

    def __enter__(self) -> SseEvents:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.__exit__(*error)

    def receive(self, timeout_s: float) -> list[bytes]:
        """Return the events that have arrived, each as a JSON object of `event` and `payload`.

        Raises:
            Disconnected: the answer has ended, or an event is longer than any is.
        """
        frames = []
        for line in self._stream.receive(timeout_s):
            field, _, value = line.decode("utf-8", "replace").partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                self._event = value
            elif field == "data":
                self._data.append(value)
                self._num_chars += len(value) + 1
                if self._num_chars > MAX_MESSAGE_BYTES:
                    raise Disconnected(f"an event of more than {MAX_MESSAGE_BYTES} bytes came")
            elif not line:
                if self._event:
                    payload = "\n".join(self._data)
                    frames.append(msgspec.json.encode({"event": self._event, "payload": payload}))
                self._event, self._data, self._num_chars = "", [], 0
        return frames
