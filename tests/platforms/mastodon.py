"""A fake Mastodon server, its stream (WebSocket and SSE) and the REST calls around it; all posts invented."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass

from tests.platforms.wire import FakeServer, Peer, frame


@dataclass
class Faults:
    """What goes wrong on one stream; nothing by default."""

    refuse: int | None = None
    cut_after: int | None = None
    fall_silent: bool = False
    """Say nothing more, with the socket open: half of it is gone."""
    garbage: tuple[bytes, ...] = ()
    """Sent at the beginning."""


class FakeMastodon(FakeServer):
    """Keeps statuses and tells every open stream what happens to them."""

    def __init__(self) -> None:
        self.statuses: dict[str, dict[str, object]] = {}
        self.events: list[tuple[str, str]] = []
        self.plan: deque[Faults] = deque()
        self.asked: list[Peer] = []
        """Every request, in order."""
        self.num_streams = 0
        self.check_status = 200
        self._next = 110_000_000_000_000_000
        self._grown = threading.Condition()
        super().__init__()

    @property
    def url(self) -> str:
        """What a person names to follow it."""
        return f"mastodon+http://127.0.0.1:{self.port}?stream=public"

    # What happens on the platform.

    def post(self, name: str, content: str, *, late_s: int = 0, **fields: object) -> str:
        """Let somebody post; returns the number. `late_s`: it was written so long ago, on another server."""
        self._next += 65_536
        number = str(self._next - (late_s * 1000 << 16))
        host = f"https://{name.partition('@')[2] or 'town.example'}"
        account = {"uri": f"{host}/users/{name}", "url": f"{host}/@{name}", "acct": name, "indexable": True}
        self.statuses[number] = {
            "id": number,
            "uri": f"{host}/users/{name}/statuses/{self._next % 999_983}",
            "url": f"{host}/@{name}/{number}",
            "created_at": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            "edited_at": None,
            "content": f"<p>{content}</p>",
            "visibility": "public",
            "reblog": None,
            **fields,
            "account": {**account, "noindex": False, **fields.get("account", {})},
        }
        self._tell("update", json.dumps(self.statuses[number]))
        return number

    def pass_time(self, minutes: int) -> None:
        """Let nothing happen for a while."""
        self._next += minutes * 60_000 << 16

    def edit(self, number: str, content: str) -> None:
        """Let somebody edit."""
        self.statuses[number] |= {
            "content": f"<p>{content}</p>",
            "edited_at": f"2026-11-22T08:00:0{len(self.events) % 10}Z",
        }
        self._tell("status.update", json.dumps(self.statuses[number]))

    def delete(self, number: str) -> None:
        """Let somebody delete."""
        del self.statuses[number]
        self._tell("delete", number)

    def remove_account(self, name: str) -> None:
        """Let an account go: no event tells."""
        for number in [n for n, status in self.statuses.items() if status["account"]["acct"] == name]:
            del self.statuses[number]

    def _tell(self, event: str, payload: str) -> None:
        with self._grown:
            self.events.append((event, payload))
            self._grown.notify_all()

    # What a client sees.

    def serve(self, peer: Peer) -> None:
        """Answer requests on a connection until it becomes a stream."""
        while peer.read_request():
            self.asked.append(peer)
            path = peer.request.path
            if path.startswith("/api/v1/streaming"):
                return self._stream(peer)
            self._answer(peer, path)

    def _answer(self, peer: Peer, path: str) -> None:
        request = peer.request
        if path == "/api/v2/instance":
            peer.answer(200, {"configuration": {"urls": {"streaming": f"ws://127.0.0.1:{self.port}"}}})
        elif path == "/api/v1/timelines/public":
            after, limit = int(request.one("min_id", "0")), int(request.one("limit", "20"))
            numbers = sorted((n for n in self.statuses if int(n) > after), key=int)
            numbers = numbers[:limit] if after else numbers[-limit:]
            peer.answer(200, [self.statuses[n] for n in reversed(numbers)])
        elif path == "/api/v1/statuses":
            if self.check_status != 200:
                peer.answer(self.check_status, {"error": "no"})
                return
            peer.answer(200, [self.statuses[n] for n in request.query["id[]"] if n in self.statuses])
        else:
            number = path.rpartition("/")[2]
            peer.answer(200 if number in self.statuses else 404, self.statuses.get(number, {"error": "gone"}))

    def _stream(self, peer: Peer) -> None:
        faults = self.plan.popleft() if self.plan else Faults()
        if faults.refuse:
            peer.answer(faults.refuse, {"error": "no", "status": faults.refuse})
            return
        place = len(self.events)
        is_websocket = "upgrade" in peer.request.headers
        if is_websocket:
            peer.upgrade()
        else:
            peer.begin_lines("text/event-stream")
            peer.send_chunk(b":)\n")
        self.num_streams += 1
        for message in faults.garbage:
            peer.socket.sendall(frame(message))
        if faults.fall_silent:
            self.is_over.wait()
        sent = 0
        while not self.is_over.is_set() and (not is_websocket or peer.listen()):
            with self._grown:
                if len(self.events) <= place:
                    self._grown.wait(0.02)
                new = self.events[place:]
            place += len(new)
            for event, payload in new:
                data = _websocket(event, payload) if is_websocket else _sse(event, payload)
                if sent == faults.cut_after:
                    peer.socket.sendall(data[: len(data) // 2])
                    return
                peer.socket.sendall(data)
                sent += 1


def _websocket(event: str, payload: str) -> bytes:
    return frame(json.dumps({"stream": ["public"], "event": event, "payload": payload}).encode())


def _sse(event: str, payload: str) -> bytes:
    data = f"event: {event}\ndata: {payload}\n\n:thump\n".encode()
    return b"%x\r\n%s\r\n" % (len(data), data)
