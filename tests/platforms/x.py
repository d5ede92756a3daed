"""A fake X: filtered stream, rules and compliance streams over real sockets; all posts are invented."""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass

from tests.platforms.wire import FakeServer, Peer

SEARCH = "/2/tweets/search/stream"


@dataclass
class Faults:
    """What goes wrong on one stream; nothing by default."""

    refuse: int | None = None
    retry_after: int | None = None
    cut_after: int | None = None
    fall_silent: bool = False
    """Say nothing more, not even to keep the connection alive."""
    error_after: int | None = None
    """Say in the stream that it ends."""
    duplicate: bool = False
    backfill: int = 0
    """Send so many older posts again, though fewer were asked for."""


class FakeX(FakeServer):
    """Keeps lines of a stream and tells them to whoever listens."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.rules: dict[str, dict[str, str]] = {"7": {"id": "7", "value": "somebody else's", "tag": "other"}}
        self.plan: deque[Faults] = deque()
        self.asked: list[Peer] = []
        self.num_streams = 0
        self._next = 1_900_000_000_000_000_000
        self._grown = threading.Condition()
        super().__init__()

    @property
    def url(self) -> str:
        """What a person names to follow it."""
        return f"x+http://127.0.0.1:{self.port}"

    def post(self, author: str, text: str, chain: tuple[str, ...] = (), words: str = "tweet") -> str:
        """Let somebody post, or edit the last of a chain; returns its id. `words`: old or new spelling."""
        self._next += 4_194_304
        number = str(self._next)
        data = {
            "id": number,
            "text": text,
            "author_id": author,
            f"edit_history_{words}_ids": [*chain, number],
        }
        users = [{"id": author, "username": f"name{author}", "name": "Somebody"}]
        self.tell(
            {"data": data, "includes": {"users": users}, "matching_rules": [{"id": "1", "tag": "hubbub"}]}
        )
        return number

    def tell(self, line: dict[str, object]) -> None:
        """Send any line."""
        with self._grown:
            self.lines.append(json.dumps(line).encode() + b"\r\n")
            self._grown.notify_all()

    def serve(self, peer: Peer) -> None:
        """Answer requests on a connection until it becomes a stream."""
        while peer.read_request():
            self.asked.append(peer)
            if peer.request.path.endswith("/rules"):
                self._serve_rules(peer)
            else:
                return self._stream(peer)

    def _serve_rules(self, peer: Peer) -> None:
        if peer.request.method == "POST":
            body = json.loads(peer.request.body)
            for number in body.get("delete", {}).get("ids", []):
                del self.rules[number]
            for rule in body.get("add", []):
                number = str(len(self.rules) + 100)
                self.rules[number] = {"id": number, **rule}
        peer.answer(200, {"data": list(self.rules.values()), "meta": {}})

    def _stream(self, peer: Peer) -> None:
        faults = self.plan.popleft() if self.plan else Faults()
        if faults.refuse:
            headers = {"Retry_After": str(faults.retry_after)} if faults.retry_after else {}
            peer.answer(faults.refuse, {"title": "no", "status": faults.refuse}, **headers)
            return
        place = max(0, len(self.lines) - faults.backfill)
        peer.begin_lines("application/json")
        self.num_streams += 1
        sent = 0
        if faults.fall_silent:
            self.is_over.wait()
        while not self.is_over.is_set():
            with self._grown:
                if len(self.lines) <= place:
                    self._grown.wait(0.05)
                new = self.lines[place:]
            place += len(new)
            peer.send_chunk(b"\r\n")
            for line in new:
                if sent == faults.cut_after:
                    peer.socket.sendall(b"%x\r\n%s" % (len(line), line[: len(line) // 2]))
                    return
                if sent == faults.error_after:
                    error = {
                        "title": "operational-disconnect",
                        "disconnect_type": "UpstreamOperationalDisconnect",
                    }
                    peer.send_chunk(json.dumps({"errors": [error]}).encode() + b"\r\n")
                    return
                for _ in range(1 + faults.duplicate):
                    peer.send_chunk(line)
                sent += 1
