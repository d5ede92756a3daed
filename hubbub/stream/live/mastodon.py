"""Follows a Mastodon server: its stream, by WebSocket or SSE, what was missed meanwhile, and what has gone.

There is no cursor: behind a break the timeline is read from the last status on. There is no event for a
removed account either: stored statuses are asked for again, the newest first, twenty at a time, for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from hubbub.errors import InvalidInput
from hubbub.posts import Cursor
from hubbub.stream.counts import Counts
from hubbub.stream.live.address import Address
from hubbub.stream.live.backoff import FIRST_S, Backoff
from hubbub.stream.live.canary import Canary
from hubbub.stream.live.http_stream import HttpStream
from hubbub.stream.live.link import Link
from hubbub.stream.live.mastodon_numbers import Numbers
from hubbub.stream.live.mastodon_rest import Rest
from hubbub.stream.live.mastodon_session import MastodonSession, Messages
from hubbub.stream.live.sse import SseEvents
from hubbub.stream.live.token import read_token
from hubbub.stream.live.websocket import WebSocket
from hubbub.stream.source import Batch
from hubbub.units import now_us

STREAMS = ("public", "public:local", "public:remote", "hashtag", "hashtag:local", "list", "user")
CHECK_S = 2.0
"""So often stored statuses are asked for again: half of the 300 requests in 5 minutes that servers allow."""


class Mastodon:
    """One stream of one server. Options of its address: `#sse` to read server-sent events instead of a
    WebSocket, `#check=SECONDS` between two rounds of asking for stored statuses.
    """

    def __init__(self, address: Address, state: Path) -> None:
        query = dict(address.query)
        self._stream = query.get("stream", "public")
        self._tag = query.get("tag") or query.get("list") or ""
        if self._stream not in STREAMS or (self._stream.startswith(("hashtag", "list")) and not self._tag):
            raise InvalidInput(
                f"stream {self._stream!r} cannot be followed; choose one of {', '.join(STREAMS)}, "
                "with &tag=NAME or &list=ID where it needs one"
            )
        self._address = address
        self.backoff = Backoff(address.seconds("wait", FIRST_S))
        self._token = read_token("mastodon", address.host)
        self._check_s = address.seconds("check", CHECK_S)
        self.name = f"mastodon:{address.netloc}?stream={self._stream}{self._tag and ':' + self._tag}"
        slug = "".join(letter if letter.isalnum() else "-" for letter in self._stream + self._tag)
        self._path = state / f"mastodon-{address.netloc.replace(':', '-')}-{slug}.sqlite"
        self._canary: Canary | None = None

    def session(
        self, after: Cursor | None, *, size: int, counts: Counts, stop: threading.Event
    ) -> Iterator[Batch]:
        """Connect and yield batches until the connection breaks; see `live.source.Platform`."""
        numbers = Numbers(self._path)
        self._canary = self._canary or Canary(counts.vitals)
        try:
            with Rest(self._address, self._token) as rest, self._open(rest) as messages:
                counts.vitals.num_connections += 1
                self._canary.resume()
                counts.vitals.enter("catching up", now_us())
                session = MastodonSession(
                    rest, messages, numbers, self._canary, counts, after, size, self._check_s
                )
                for part in session.read(self._stream, self._tag, stop):
                    numbers.commit()
                    yield part
                    numbers.forget()
        finally:
            numbers.close()

    def _open(self, rest: Rest) -> Messages:
        """Open the stream, wherever the server says it is; the token goes nowhere else."""
        base = rest.streaming_url() or self._address.websocket_origin
        if self._address.is_tls:
            base = "wss://" + base.partition("://")[2]  # never the token in the clear, whatever a server says
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        dead_s = self._address.dead_s
        wanted = {"list" if self._stream == "list" else "tag": self._tag} if self._tag else {}
        if "sse" not in self._address.options:
            query = urlencode({"stream": self._stream, **wanted})
            return WebSocket(f"{base}/api/v1/streaming?{query}", headers=headers, dead_s=dead_s)
        parts = urlsplit(base)
        is_tls = parts.scheme in ("wss", "https")
        link = Link(parts.hostname or "", parts.port or (443 if is_tls else 80), is_tls=is_tls, dead_s=dead_s)
        target = f"{parts.path}/api/v1/streaming/{self._stream.replace(':', '/')}"
        return SseEvents(HttpStream(link, parts.netloc, f"{target}?{urlencode(wanted)}", headers))
