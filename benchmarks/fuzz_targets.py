"""What is fuzzed: each format through its decoder, and the framing around it as its connection reads it."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import zstandard
from websockets.frames import Frame, Opcode

from benchmarks.fuzz_mutation import Mutator
from benchmarks.fuzz_shapes import LABELS, SHAPES
from hubbub.posts import Event
from hubbub.stream.counts import Counts
from hubbub.stream.decode.bluesky_label import decode_labels
from hubbub.stream.decode.lines import LineDecoder
from hubbub.stream.decode.x2 import decode_x2
from hubbub.stream.live.canary import Canary
from hubbub.stream.live.http_stream import HttpStream
from hubbub.stream.live.jetstream_position import V1Position, V2Position
from hubbub.stream.live.jetstream_session import JetstreamSession
from hubbub.stream.live.link import Disconnected
from hubbub.stream.live.mastodon_numbers import Numbers
from hubbub.stream.live.mastodon_session import MastodonSession
from hubbub.stream.live.sse import SseEvents
from hubbub.stream.live.websocket import WebSocket
from hubbub.stream.live.x import _Session as XSession
from hubbub.stream.live.zstd import Unpack, open_unpacker
from hubbub.stream.source import Batch
from hubbub.units import now_us
from tests.platforms.wire import FakeServer, Peer

_FAR_S = 1e9


class Target(NamedTuple):
    """One thing to fuzz."""

    make: Callable[[], bytes]
    """Makes the next input."""
    take: Callable[[bytes], list[Event]]
    """Takes an input in and returns its events; may raise Disconnected, as a connection that breaks."""
    counts: Counts | None = None
    """Where each input is one line, what was counted."""
    close: Callable[[], object] = lambda: None


class _Feed:
    """Messages as a connection would bring them: one, then nothing."""

    where = "fuzz"

    def __init__(self) -> None:
        self.waiting: list[bytes] = []
        self.has_paused = False

    def receive(self, timeout_s: float) -> list[bytes]:
        """Return what waits."""
        waiting, self.waiting = self.waiting, []
        self.has_paused = not waiting
        return waiting

    def __enter__(self) -> _Feed:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class _Session:
    """A connection's reading, made anew whenever an input breaks it."""

    def __init__(self, read: Callable[[_Feed], Iterator[Batch]]) -> None:
        self._read = read
        self._open()

    def _open(self) -> None:
        self._feed = _Feed()
        self._batches = self._read(self._feed)

    def take(self, message: bytes) -> list[Event]:
        """Bring one message."""
        events: list[Event] = []
        self._feed.waiting.append(message)
        self._feed.has_paused = False
        try:
            while not self._feed.has_paused:
                events += next(self._batches).events
        except BaseException:
            self._open()
            raise
        return events


class _NoTimeline:
    """A Mastodon server whose timeline is empty."""

    def newest(self, stream: str, tag: str) -> str | None:
        """There is none."""
        return None


class _Bytes:
    """A connection that says some bytes, in pieces, and ends."""

    where = "fuzz"

    def __init__(self, data: bytes, rng: random.Random) -> None:
        self._data, self._rng, self._at = data, rng, 0

    def send(self, data: bytes) -> None:
        """Nobody listens."""

    def close(self) -> None:
        """Nothing to close."""

    def receive(self, timeout_s: float) -> bytes:
        """Return the next piece."""
        if self._at >= len(self._data):
            raise Disconnected("the end")
        size = self._rng.choice((1, 7, 100, 1 << 18)) if len(self._data) - self._at < 5000 else 1 << 18
        self._at += size
        return self._data[self._at - size : self._at]


class _Teller(FakeServer):
    """Shakes hands as a WebSocket and then says whatever it is given."""

    def __init__(self) -> None:
        self.said: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        super().__init__()

    def serve(self, peer: Peer) -> None:
        """Say it."""
        if peer.read_request():
            peer.upgrade()
            peer.socket.sendall(self.said.get())


def _lines(name: str, format: Any = None) -> Callable[[Mutator, random.Random, Path], Target]:
    def open_target(mutator: Mutator, rng: random.Random, room: Path) -> Target:
        counts = Counts()
        clocks = (None, now_us, lambda: 0)
        decoders = [LineDecoder(format or name, counts, clock=clock) for clock in clocks]
        return Target(mutator.frame, lambda line: rng.choice(decoders).decode(line), counts)

    return open_target


def _labels(mutator: Mutator, rng: random.Random, room: Path) -> Target:
    counts = Counts()
    decoder = LineDecoder(decode_labels, counts, clock=now_us)

    def make() -> bytes:
        header, body = rng.choice(LABELS)
        return mutator.break_cbor(header, 0.1) + mutator.break_cbor(body, 0.9)

    return Target(make, decoder.decode, counts)


def _jetstream(is_v2: bool, unpack: Unpack | None = None) -> Callable[[_Feed], Iterator[Batch]]:
    def read(feed: Any) -> Iterator[Batch]:
        counts = Counts()
        position = V2Position("1@1") if is_v2 else V1Position("1")
        session = JetstreamSession(feed, position, counts, Canary(counts.vitals), unpack, 100, _FAR_S, None)
        return session.read(threading.Event())

    return read


def _jetstream_session(mutator: Mutator, rng: random.Random, room: Path) -> Target:
    sessions = [_Session(_jetstream(is_v2)) for is_v2 in (False, True)]
    return Target(mutator.frame, lambda message: rng.choice(sessions).take(message))


def _zstd(mutator: Mutator, rng: random.Random, room: Path) -> Target:
    dictionary = zstandard.train_dictionary(8192, [mutator.frame()[:2000] + b"0" * 8 for _ in range(2000)])
    packer = zstandard.ZstdCompressor(dict_data=dictionary)
    session = _Session(_jetstream(True, open_unpacker(dictionary.as_bytes())))

    def make() -> bytes:
        packed = packer.compress(mutator.frame())
        return mutator.break_bytes(packed) if rng.random() < 0.5 else packed

    return Target(make, session.take)


def _x_session(mutator: Mutator, rng: random.Random, room: Path) -> Target:
    def read(feed: Any) -> Iterator[Batch]:
        counts = Counts()
        return XSession(feed, Canary(counts.vitals), counts, 100, decode_x2).read(threading.Event())

    return Target(mutator.frame, _Session(read).take)


def _mastodon_reading(room: Path) -> tuple[Callable[[Any], Iterator[Batch]], Callable[[], object]]:
    numbers = Numbers(room / "numbers.db")

    def read(feed: Any) -> Iterator[Batch]:
        numbers.forget()
        numbers.commit()
        counts = Counts()
        rest: Any = _NoTimeline()
        session = MastodonSession(rest, feed, numbers, Canary(counts.vitals), counts, None, 100, _FAR_S)
        return session.read("public", "", threading.Event())

    return read, numbers.close


def _mastodon_session(mutator: Mutator, rng: random.Random, room: Path) -> Target:
    read, close = _mastodon_reading(room)
    return Target(mutator.frame, _Session(read).take, close=close)


def _sse(mutator: Mutator, rng: random.Random, room: Path) -> Target:
    read, close = _mastodon_reading(room)

    def make() -> bytes:
        name = rng.choice(("update", "update", "status.update", "delete", "\ufffdx", ""))
        event = f"event: {name}\n".encode() + b"data: " + mutator.frame() + b"\n\n"
        body = b":thump\n" + (mutator.break_bytes(event) if rng.random() < 0.3 else event)
        chunk = b"%x\r\n%s\r\n" % (len(body), body)
        said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk
        return mutator.break_bytes(said) if rng.random() < 0.2 else said

    def take(said: bytes) -> list[Event]:
        link: Any = _Bytes(said, rng)
        events: list[Event] = []
        batches = read(SseEvents(HttpStream(link, "fuzz", "/", {})))
        try:
            for batch in batches:
                events += batch.events
        except Disconnected:
            return events
        raise AssertionError("an answer that ended goes on")

    return Target(make, take, close=close)


def _websocket(mutator: Mutator, rng: random.Random, room: Path) -> Target:
    server = _Teller()
    decoder = LineDecoder("jetstream", clock=now_us)

    def make() -> bytes:
        kind = rng.choice((Opcode.TEXT, Opcode.TEXT, Opcode.BINARY, Opcode.CONT, Opcode.PING, Opcode.CLOSE))
        is_control = kind in (Opcode.PING, Opcode.CLOSE)
        data = mutator.frame()[: 125 if is_control else 100_000]
        frame = Frame(kind, data, fin=is_control or rng.random() < 0.8).serialize(mask=False)
        return mutator.break_bytes(frame) if rng.random() < 0.4 else frame

    def take(said: bytes) -> list[Event]:
        server.said.put(said)
        events: list[Event] = []
        with WebSocket(f"ws://127.0.0.1:{server.port}/") as socket:
            while True:
                try:
                    for message in socket.receive(1.0):
                        events += decoder.decode(message)
                except Disconnected:
                    return events

    return Target(make, take, close=server.close)


TARGETS: dict[str, tuple[str, Callable[[Mutator, random.Random, Path], Target]]] = {
    "hubbub": ("hubbub", _lines("hubbub")),
    "x1": ("x1", _lines("x1")),
    "x2": ("x2", _lines("x2")),
    "x2-compliance": ("x2 compliance", _lines("x2")),
    "jetstream1": ("jetstream 1", _lines("jetstream")),
    "jetstream2": ("jetstream 2", _lines("jetstream")),
    "mastodon": ("mastodon", _lines("mastodon")),
    "labels": ("jetstream 1", _labels),
    "live-jetstream": ("jetstream 2", _jetstream_session),
    "live-zstd": ("jetstream 2", _zstd),
    "live-x": ("x2", _x_session),
    "live-mastodon": ("mastodon", _mastodon_session),
    "live-sse": ("mastodon", _sse),
    "live-websocket": ("jetstream 1", _websocket),
}
"""The shapes it starts from, and what opens it."""


def open_target(name: str, rng: random.Random, room: Path, seeds: list[bytes]) -> Target:
    """Open one by name; `seeds` are added to the invented shapes."""
    shapes, opening = TARGETS[name]
    return opening(Mutator([*SHAPES[shapes], *seeds], rng), rng, room)
