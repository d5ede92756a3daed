"""A fake Jetstream, versions 1 and 2, over a real socket, with faults on demand; its events are invented."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tests.platforms.wire import FakeServer, Peer, frame

POST = "app.bsky.feed.post"
V2_NAME = "network.bsky.jetstream.subscribeEvents"
V2 = f"/xrpc/{V2_NAME}"


@dataclass(frozen=True)
class Entry:
    """One event of the log."""

    time_us: int
    seq: int
    did: str
    kind: str
    collection: str
    v1: bytes
    v2: bytes


@dataclass
class Faults:
    """What goes wrong on one connection; nothing by default."""

    refuse: tuple[int, dict[str, str]] | None = None
    """Answer with this status and body instead of a stream."""
    cut_after: int | None = None
    """Break off in the middle of the frame behind so many."""
    fall_silent_after: int | None = None
    """Say nothing more behind so many, with the socket open: half of it is gone."""
    duplicate: float = 0.0
    """Send an event twice, with this probability."""
    reorder: float = 0.0
    """Swap an event with the next one if they are of different accounts."""
    rewind: int = 0
    """Begin so many events earlier than asked."""
    garbage: float = 0.0
    """Send nonsense between events."""
    error_after: int | None = None
    """End with ConsumerTooSlow behind so many (version 2)."""
    first: tuple[bytes, ...] = ()
    """Send these messages before everything else."""


class FakeJetstream(FakeServer):
    """Keeps a log and streams it from any cursor, then live."""

    def __init__(
        self,
        *,
        seed: int = 1,
        tick_us: int = 1000,
        start_us: int | None = None,
        skew_us: int = 0,
        port: int = 0,
    ) -> None:
        self.log: list[Entry] = []
        self.plan: deque[Faults] = deque()
        """Faults of the coming connections; those behind have none."""
        self.num_sent = 0
        self.seen: list[Peer] = []
        """Those who asked for a stream."""
        self.floor_seq = 0
        """Older sequence numbers are refused as too old."""
        self.dictionary: bytes | None = None
        self._tick_us, self._time_us = tick_us, start_us
        self.skew_us = skew_us
        self._rng = random.Random(seed)
        self._grown = threading.Condition()
        super().__init__(port)

    @property
    def url(self) -> str:
        """Where version 1 is."""
        return f"ws://127.0.0.1:{self.port}/subscribe"

    @property
    def v2_url(self) -> str:
        """Where version 2 is."""
        return f"ws://127.0.0.1:{self.port}{V2}"

    # What happens on the platform.

    def post(self, did: str, key: str, text: str, operation: str = "create", **fields: object) -> None:
        """Let somebody post (or, with operation `update`, edit)."""
        record = {"$type": POST, "text": text, "createdAt": "2026-11-22T08:00:00Z", **fields}
        self.commit(did, POST, key, operation, record)

    def delete(self, did: str, key: str) -> None:
        """Let somebody delete a post."""
        self.commit(did, POST, key, "delete")

    def commit(
        self, did: str, collection: str, key: str, operation: str, record: dict[str, object] | None = None
    ) -> None:
        """Let anything happen in a repository."""
        fields = {
            "rev": f"3r{len(self.log):011d}",
            "operation": operation,
            "collection": collection,
            "rkey": key,
        }
        if record is not None:
            fields |= {"record": record, "cid": "bafyinvented"}
        self.add(did, "commit", {"commit": fields}, fields, collection)

    def account(self, did: str, active: bool, status: str | None = None) -> None:
        """Let an account change."""
        fields = {"active": active, "did": did, "seq": len(self.log), "time": "2026-11-22T08:00:00Z"}
        if status:
            fields["status"] = status
        self.add(did, "account", {"account": fields}, {"account": fields})

    def sync(self, did: str) -> None:
        """Let a repository be replaced; version 1 does not tell."""
        self.add(did, "sync", None, {"sync": {"did": did}})

    def add(
        self, did: str, kind: str, v1: dict[str, object] | None, v2: dict[str, object], collection: str = ""
    ) -> None:
        """Append to the log and tell every open stream."""
        now_us = self._next_us()
        seq = len(self.log) + 1
        line = {"did": did, "time_us": now_us, "kind": kind, **v1} if v1 is not None else None
        payload = {"$type": f"{V2_NAME}#{kind}", "seq": seq, "did": did, "time": _iso(now_us), **v2}
        entry = Entry(
            time_us=now_us,
            seq=seq,
            did=did,
            kind=kind,
            collection=collection,
            v1=json.dumps(line).encode() if line else b"",
            v2=json.dumps({"$type": "message", "payload": payload}).encode(),
        )
        self.append(entry)

    def append(self, entry: Entry) -> None:
        """Append an event that was made elsewhere."""
        with self._grown:
            self.log.append(entry)
            self._grown.notify_all()

    def _next_us(self) -> int:
        if self._time_us is None:
            now_us = time.time_ns() // 1000 + self.skew_us
            return max(now_us, self.log[-1].time_us + 1) if self.log and not self.skew_us else now_us
        self._time_us += self._tick_us
        return self._time_us + self.skew_us

    # What a client sees.

    def serve(self, peer: Peer) -> None:
        """Answer a client."""
        if not peer.read_request():
            return
        if peer.request.path.endswith("getZstdDictionary"):
            peer.answer(200, self.dictionary or b"")
            return
        self.seen.append(peer)
        faults = self.plan.popleft() if self.plan else Faults()
        is_v2 = peer.request.path == V2
        cursor = int(peer.request.one("cursor") or 0)
        if peer.request.one("compress") and "sec-websocket-extensions" in peer.request.headers:
            peer.answer(400, {"error": "InvalidRequest", "message": "one compression at a time"})
            return
        if faults.refuse:
            peer.answer(faults.refuse[0], faults.refuse[1])
            return
        if is_v2 and 0 < cursor < min(self.floor_seq, 10**15):
            peer.answer(400, {"error": "CursorTooOld", "message": f"the floor is {self.floor_seq}"})
            return
        stream = _Stream(self, peer, faults, is_v2, cursor)
        peer.upgrade("xrpc.v1.json" if is_v2 else None)
        stream.run()

    def entries(self, after: int) -> list[Entry]:
        """Return what is in the log behind a place, waiting shortly if there is nothing."""
        with self._grown:
            if len(self.log) <= after:
                self._grown.wait(0.02)
            return self.log[after : after + 2000]


class _Stream:
    """One connection."""

    def __init__(self, fake: FakeJetstream, peer: Peer, faults: Faults, is_v2: bool, cursor: int) -> None:
        self._fake, self._peer, self._faults, self._is_v2 = fake, peer, faults, is_v2
        self._rng = fake._rng
        self._num_sent = 0
        request = peer.request
        key = "collections" if is_v2 else "wantedCollections"
        self._collections = set(request.query.get(key, []))
        self._dids = set(request.query.get("dids" if is_v2 else "wantedDids", []))
        self._place = self._find(cursor)
        self._pack = self._packer()

    def _find(self, cursor: int) -> int:
        if not cursor:
            return len(self._fake.log)
        by_seq = self._is_v2 and cursor < 10**15
        marks = [entry.seq if by_seq else entry.time_us for entry in self._fake.log]
        place = next((i for i, mark in enumerate(marks) if mark >= cursor), len(marks))
        if self._is_v2:
            place = max(place, self._fake.floor_seq - 1)
        return max(0, place - self._faults.rewind)

    def _packer(self) -> Callable[[bytes], bytes]:
        if "permessage-deflate" in self._peer.request.headers.get("sec-websocket-extensions", ""):
            return self._peer.deflate
        if not (self._peer.request.one("compress") or self._peer.request.one("zstdDictionary")):
            return frame
        import zstandard

        data = zstandard.ZstdCompressionDict(self._fake.dictionary)
        compressor = zstandard.ZstdCompressor(dict_data=data)
        return lambda line: frame(compressor.compress(line), is_binary=True)

    def run(self) -> None:
        """Send until somebody ends it."""
        while self._peer.request.one("requireHello") and not self._peer.texts:
            if self._fake.is_over.is_set() or not self._peer.listen(0.02):
                return
        for text in self._peer.texts:
            payload = json.loads(text)["payload"]
            self._collections, self._dids = set(payload["wantedCollections"]), set(payload["wantedDids"])
        for message in self._faults.first:
            self._peer.socket.sendall(frame(message))
        while not self._fake.is_over.is_set() and self._peer.listen():
            entries = self._fake.entries(self._place)
            self._place += len(entries)
            if not self._send(self._reorder([entry for entry in entries if self._is_wanted(entry)])):
                return

    def _is_wanted(self, entry: Entry) -> bool:
        if not (entry.v2 if self._is_v2 else entry.v1) or (self._dids and entry.did not in self._dids):
            return False
        return entry.kind != "commit" or not self._collections or entry.collection in self._collections

    def _reorder(self, entries: list[Entry]) -> list[Entry]:
        if self._faults.reorder:
            for i in range(len(entries) - 1):
                is_other = entries[i].did != entries[i + 1].did
                if is_other and self._rng.random() < self._faults.reorder:
                    entries[i], entries[i + 1] = entries[i + 1], entries[i]
        return entries

    def _send(self, entries: list[Entry]) -> bool:
        """Send events with this connection's faults; False when it is over."""
        faults, out = self._faults, []
        for entry in entries:
            data = self._pack(entry.v2 if self._is_v2 else entry.v1)
            if self._num_sent == faults.cut_after:
                self._peer.socket.sendall(b"".join(out) + data[: len(data) // 2])
                return False
            if self._num_sent == faults.error_after:
                error = {"$type": "error", "error": "ConsumerTooSlow", "message": "too slow"}
                self._peer.socket.sendall(b"".join(out) + frame(json.dumps(error).encode()))
                return False
            if self._num_sent == faults.fall_silent_after:
                self._peer.socket.sendall(b"".join(out))
                self._fake.is_over.wait()
                return False
            if self._rng.random() < faults.garbage:
                out.append(
                    frame(self._rng.choice([b"not json", b"{}", b'{"did":1}', b"[[[", b'{"kind":"commit"}']))
                )
            out += [data] * (2 if self._rng.random() < faults.duplicate else 1)
            self._num_sent += 1
            self._fake.num_sent += 1
        if out:
            self._peer.socket.sendall(b"".join(out))
        return True


def _iso(time_us: int) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time_us // 1_000_000))
    return f"{seconds}.{time_us % 1_000_000:06d}Z"
