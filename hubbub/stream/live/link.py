"""One TCP or TLS connection, read in chunks with a time limit; it knows no protocol."""

from __future__ import annotations

import socket
import ssl
import time

from hubbub.errors import PlatformError

CHUNK_BYTES = 1 << 18
CONNECT_S = 15.0
"""A platform that has not answered by then is tried again later."""
DEAD_S = 45.0
"""After so long without a byte a connection is dead, whatever the socket says: longer than the heartbeats of
all platforms (X 20 s, Mastodon 15 s; Jetstream is pinged)."""


class Disconnected(PlatformError):
    """A connection broke or ended; it is made again."""


class Refused(Disconnected):
    """The platform answered, and did not open the stream."""

    def __init__(self, message: str, *, status: int, body: bytes = b"", retry_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = body
        self.retry_s = retry_s
        """How long the platform asks us to wait, if it said so."""


class Link:
    """A connected socket; nothing is buffered here, so a slow reader slows the platform."""

    def __init__(self, host: str, port: int, *, is_tls: bool, dead_s: float = DEAD_S) -> None:
        """Connect.

        Raises:
            Disconnected: the host is not known, does not answer, or its certificate is not right.
        """
        self.where = f"{host}:{port}"
        self._dead_s = dead_s
        try:
            self._socket = socket.create_connection((host, port), timeout=CONNECT_S)
            if is_tls:
                self._socket = ssl.create_default_context().wrap_socket(self._socket, server_hostname=host)
        except OSError as error:
            raise Disconnected(f"cannot connect to {self.where}: {error}") from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.heard_s = time.monotonic()
        """When the last byte came, on the monotonic clock."""

    def receive(self, timeout_s: float) -> bytes:
        """Return what has arrived, empty if nothing came in time.

        Raises:
            Disconnected: the connection has ended, or nothing has come for `dead_s`.
        """
        try:
            self._socket.settimeout(max(timeout_s, 0.001))
            data = self._socket.recv(CHUNK_BYTES)
        except TimeoutError:
            if self.quiet_s > self._dead_s:
                raise Disconnected(f"{self.where} has not said a word for {self.quiet_s:.0f} s") from None
            return b""
        except OSError as error:
            raise Disconnected(f"the connection to {self.where} broke: {error}") from None
        if not data:
            raise Disconnected(f"{self.where} closed the connection")
        self.heard_s = time.monotonic()
        return data

    @property
    def quiet_s(self) -> float:
        """How long no byte has come."""
        return time.monotonic() - self.heard_s

    def send(self, data: bytes) -> None:
        """Send all of it; Disconnected if that fails."""
        try:
            self._socket.settimeout(CONNECT_S)
            self._socket.sendall(data)
        except OSError as error:
            raise Disconnected(f"the connection to {self.where} broke: {error}") from None

    def close(self) -> None:
        """Close without ceremony; safe to call twice."""
        self._socket.close()
