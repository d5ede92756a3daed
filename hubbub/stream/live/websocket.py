"""A WebSocket read in one thread: messages as they arrive, several at once; what they say is not known here.

The protocol itself is the package `websockets`, without its input and output: its own clients hand over one
message at a time from a second thread, which costs four times as much a message (decision 013).
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from hubbub.errors import InvalidInput
from hubbub.stream.live.link import CONNECT_S, DEAD_S, Disconnected, Link, Refused

QUIET_SHARE = 0.4
"""After this share of the time in which a connection counts as dead, a ping asks for a sign of life."""
LONGEST_RETRY_S = 3600.0
"""No platform means longer waits than this; a clock that is wrong, theirs or ours, may name years."""
MAX_MESSAGE_BYTES = 16 << 20
"""A longer message ends the connection; no platform sends one."""


class WebSocket:
    """An open connection; close it, or use it in a `with` block."""

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        subprotocol: str | None = None,
        is_deflated: bool = False,
        dead_s: float = DEAD_S,
    ) -> None:
        """Connect and shake hands; a connection without a sign of life for `dead_s` seconds counts as broken.

        Raises:
            InvalidInput: that is no ws or wss address.
            Refused: the platform answered with something else than a WebSocket.
            Disconnected: it did not answer.
        """
        try:
            uri = parse_uri(url)
        except WebSocketException as error:
            raise InvalidInput(f"{url!r} is not an address of a WebSocket: {error}") from None
        self._protocol = ClientProtocol(
            uri,
            extensions=[ClientPerMessageDeflateFactory()] if is_deflated else None,
            subprotocols=[Subprotocol(subprotocol)] if subprotocol else None,
            max_size=MAX_MESSAGE_BYTES,
        )
        self._link = Link(uri.host, uri.port, is_tls=uri.secure, dead_s=dead_s)
        self._ping_s = dead_s * QUIET_SHARE
        self._parts: list[bytes] = []
        self._pinged_s = 0.0
        try:
            self._shake_hands(headers or {})
        except BaseException:
            self._link.close()
            raise

    def _shake_hands(self, headers: Mapping[str, str]) -> None:
        request = self._protocol.connect()
        request.headers.update(headers)
        self._protocol.send_request(request)
        self._flush()
        end_s = time.monotonic() + CONNECT_S
        while self._protocol.state is State.CONNECTING and self._protocol.handshake_exc is None:
            if time.monotonic() > end_s:
                raise Disconnected(f"{self._link.where} did not answer within {CONNECT_S:.0f} s")
            self._protocol.receive_data(self._link.receive(0.25))
        failure = self._protocol.handshake_exc
        if isinstance(failure, InvalidStatus):
            raise _refusal(self._link.where, failure.response)
        if failure is not None:
            raise Disconnected(f"{self._link.where} does not speak WebSocket: {failure}")

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def receive(self, timeout_s: float) -> list[bytes]:
        """Return the whole messages that have arrived, none if nothing came in time; texts as UTF-8.

        Raises:
            Disconnected: the connection has ended; what came before its end was returned before.
        """
        messages = self._take()
        if messages:
            return messages
        if self._protocol.state is not State.OPEN:
            is_closed = self._protocol.state is State.CLOSED
            reason = self._protocol.close_exc if is_closed else "it has stopped listening"
            raise Disconnected(f"{self._link.where} ended the connection: {reason}")
        data = self._link.receive(timeout_s)
        if data:
            self._protocol.receive_data(data)
            messages = self._take()
        elif self._link.quiet_s > self._ping_s and time.monotonic() - self._pinged_s > self._ping_s:
            self._pinged_s = time.monotonic()
            self._protocol.send_ping(b"")
        self._flush()
        return messages

    def send(self, text: str) -> None:
        """Send a text; Disconnected if that fails."""
        self._protocol.send_text(text.encode())
        self._flush()

    def close(self) -> None:
        """Say goodbye where that is still possible, and close; safe to call twice."""
        try:
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
                self._flush()
        except Disconnected:
            pass
        self._link.close()

    def _take(self) -> list[bytes]:
        messages = []
        for frame in self._protocol.events_received():
            assert isinstance(frame, Frame | Response)
            if not isinstance(frame, Frame) or frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                continue
            if frame.fin and not self._parts:
                messages.append(bytes(frame.data))
                continue
            self._parts.append(bytes(frame.data))
            if frame.fin:
                messages.append(b"".join(self._parts))
                self._parts = []
        return messages

    def _flush(self) -> None:
        """Send what the protocol wants sent: our messages, answers to pings, the goodbye."""
        data = b"".join(self._protocol.data_to_send())
        if data:
            self._link.send(data)


def _refusal(where: str, response: Response) -> Refused:
    said = bytes(response.body or b"")
    text = said[:200].decode("utf-8", "replace")
    return Refused(
        f"{where} answered {response.status_code} {response.reason_phrase}: {text!r}",
        status=response.status_code,
        body=said,
        retry_s=read_retry_s(response.headers.get("Retry-After")),
    )


def read_retry_s(value: str | None, since_s: float = 0.0) -> float | None:
    """Read a `Retry-After` in seconds, or a moment against `since_s`; a date is left to the back-off."""
    is_number = value is not None and value.strip().isdecimal()
    return min(max(0.0, float(value or 0) - since_s), LONGEST_RETRY_S) if is_number else None
