"""An endless HTTP answer read line by line; what the lines say is not known here."""

from __future__ import annotations

import time
from collections.abc import Mapping

import h11

from hubbub.stream.live.link import CONNECT_S, Disconnected, Link, Refused
from hubbub.stream.live.websocket import MAX_MESSAGE_BYTES, read_retry_s

MAX_BODY_BYTES = 1 << 16
"""So much of a refusal is read."""


class HttpStream:
    """A request whose answer goes on; close it, or use it in a `with` block."""

    def __init__(self, link: Link, host: str, target: str, headers: Mapping[str, str]) -> None:
        """Send the request and wait for the head of the answer; the link is ours from here on.

        Raises:
            Refused: the platform answered with something else than 200.
            Disconnected: it did not answer.
        """
        self._link = link
        self._http = h11.Connection(h11.CLIENT)
        self._begun: list[bytes] = []
        """Parts of a line whose end has not come: a long one would be copied again with each part."""
        self._num_begun = 0
        fixed = {"Host": host, "User-Agent": "hubbub", "Accept-Encoding": "identity"}
        try:
            request = h11.Request(method="GET", target=target, headers=list({**fixed, **headers}.items()))
            link.send((self._http.send(request) or b"") + (self._http.send(h11.EndOfMessage()) or b""))
            self._read_head(target)
        except BaseException:
            link.close()
            raise

    def __enter__(self) -> HttpStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()

    def receive(self, timeout_s: float) -> list[bytes]:
        """Return the whole lines that have arrived, without their ends; none if nothing came in time.

        Raises:
            Disconnected: the answer has ended; the lines before its end were returned before.
        """
        event = self._next(timeout_s)
        if isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            raise Disconnected(f"{self._link.where} ended the stream")
        if not isinstance(event, h11.Data):
            return []
        return self._split(bytes(event.data))

    def _split(self, data: bytes) -> list[bytes]:
        head, *lines = data.split(b"\n")
        self._begun.append(head)
        self._num_begun += len(head)
        if self._num_begun > MAX_MESSAGE_BYTES:
            raise Disconnected(f"{self._link.where} sent a line of more than {MAX_MESSAGE_BYTES} bytes")
        if not lines:
            return []
        lines.insert(0, b"".join(self._begun))
        self._begun = [lines.pop()]
        self._num_begun = len(self._begun[0])
        return [line.removesuffix(b"\r") for line in lines]

    def _next(self, timeout_s: float) -> object:
        try:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                data = self._link.receive(timeout_s)
                if not data:
                    return None
                self._http.receive_data(data)
                event = self._http.next_event()
            return event
        except h11.RemoteProtocolError as error:
            raise Disconnected(f"{self._link.where} broke off or does not speak HTTP: {error}") from None

    def _read_head(self, target: str) -> None:
        end_s = time.monotonic() + CONNECT_S
        while time.monotonic() < end_s:
            event = self._next(0.25)
            if isinstance(event, h11.Response):
                if event.status_code != 200:
                    self._refuse(event, target, end_s)
                return
        raise Disconnected(f"{self._link.where} did not answer within {CONNECT_S:.0f} s")

    def _refuse(self, response: h11.Response, target: str, end_s: float) -> None:
        body = b""
        while len(body) < MAX_BODY_BYTES and time.monotonic() < end_s:
            event = self._next(0.25)
            if isinstance(event, h11.Data):
                body += bytes(event.data)
            elif event is not None and event is not h11.NEED_DATA:
                break
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in response.headers}
        raise Refused(
            f"{self._link.where}{target.partition('?')[0]} answered {response.status_code}: "
            f"{body[:200].decode('utf-8', 'replace')!r}",
            status=response.status_code,
            body=body,
            # X names the moment, in seconds since 1970, at which it lets us ask again.
            retry_s=read_retry_s(headers.get("retry-after"))
            or read_retry_s(headers.get("x-rate-limit-reset"), time.time()),
        )
