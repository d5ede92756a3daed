"""The live path: a fake Jetstream in a process of its own, over a socket, into the archive (and the index).

    python -m benchmarks.live_feed --seconds 300

First the feed runs steadily, then a burst comes at once, then as much as goes for a while. Own lag runs from
our receiving an event to its being in the archive; the whole lag from the platform's sending it, so with all
that waits in sockets. With `--index` the follower also folds everything into the index, as `serve` does, and
what is awaited behind the burst is its being searchable.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.report import percentile, show
from hubbub.config import Config
from hubbub.server.house import House
from hubbub.stream import Archive, Counts, follow, open_archive
from hubbub.stream.live import open_live
from tests.platforms.wire import FakeServer, Peer, frame

TICK_S = 0.01
WORDS = "the ferry at the old bridge is late because of the flood and nobody knows when it will sail".split()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=5900, help="events a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--burst", type=int, default=50_000)
    parser.add_argument("--index", action="store_true", help="also fold into the index")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    parent, child = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(child,))
    server.start()
    try:
        with tempfile.TemporaryDirectory() as directory:
            url = f"ws://127.0.0.1:{parent.recv()}/subscribe"
            show(Run(url, parent, Path(directory), options).rows(), options.json)
    finally:
        parent.send(("end", 0))
        server.join()


class Run:
    """One follower of the feed, and what was measured."""

    def __init__(self, url: str, feed: Connection, directory: Path, options: argparse.Namespace) -> None:
        self._url, self._feed, self._directory, self._options = url, feed, directory, options
        self._own_ms: list[float] = []
        self._whole_ms: list[float] = []
        self._sent = 0

    def rows(self) -> list[dict[str, object]]:
        """Run the phases; one row a figure."""
        seconds, rate = self._options.seconds, self._options.rate
        with self._following() as num_done:
            self._send("rate", rate, rate)  # warm up for a second
            self._wait(num_done)
            self._own_ms, self._whole_ms = [], []
            begin_mib, cpu_s, start_s = _memory_mib(), time.process_time(), time.monotonic()
            self._send("rate", rate, int(rate * seconds))
            self._wait(num_done)
            steady_s, cpu_s = time.monotonic() - start_s, time.process_time() - cpu_s
            own_ms, whole_ms = self._own_ms, self._whole_ms
            end_mib = _memory_mib()
            burst_s = self._burst(num_done, self._options.burst)
            most_s = self._burst(num_done, 4 * self._options.burst)
            lost = self._sent - num_done()
        values = [
            ("events a second, steady", rate * seconds / steady_s, ">= 5800"),
            ("share of a core, steady", cpu_s / steady_s, ""),
            ("own lag p50, ms", percentile(own_ms, 50), ""),
            ("own lag p99, ms", percentile(own_ms, 99), "<= 1000"),
            ("whole lag p99, ms", percentile(whole_ms, 99), "<= 1000"),
            (f"burst of {self._options.burst}, s until the last is in", burst_s, ""),
            ("events a second, as fast as it goes", 4 * self._options.burst / most_s, ">= 5800"),
            ("lost", lost, "0"),
            ("memory after the warm-up, MiB", begin_mib, ""),
            ("memory after the steady part, MiB", end_mib, "flat"),
            ("peak memory, MiB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, ""),
        ]
        return [{"what": name, "number": round(value, 2), "bar": bar} for name, value, bar in values]

    @contextlib.contextmanager
    def _following(self) -> Iterator[Callable[[], int]]:
        """Follow, and yield what tells how many events are in (and searchable, with --index)."""
        source = open_live(self._url, self._directory / "platforms")
        if self._options.index:
            with House(Config(data=str(self._directory)), is_writer=True) as house:
                stop = threading.Event()
                thread = threading.Thread(target=self._follow, args=(source, house.archive, stop))
                thread.start()
                yield lambda: house.status().index_position
                stop.set()
                thread.join()
            return
        with open_archive(self._directory / "archive") as archive:
            stop = threading.Event()
            thread = threading.Thread(target=self._follow, args=(source, archive, stop))
            thread.start()
            yield lambda: archive.last_seq
            stop.set()
            thread.join()

    def _follow(self, source: object, archive: Archive, stop: threading.Event) -> None:
        follow(source, archive, stop=stop, on_progress=self._note)  # type: ignore[arg-type]

    def _note(self, counts: Counts) -> None:
        vitals = counts.vitals
        if vitals.own_lag_ms is not None and vitals.platform_lag_ms is not None:
            self._own_ms.append(vitals.own_lag_ms)
            self._whole_ms.append(vitals.own_lag_ms + vitals.platform_lag_ms)

    def _send(self, kind: str, rate: int, number: int) -> None:
        self._feed.send((kind, rate, number))
        self._sent += number

    def _burst(self, num_done: Callable[[], int], number: int) -> float:
        start_s = time.monotonic()
        self._send("burst", 0, number)
        self._wait(num_done)
        return time.monotonic() - start_s

    def _wait(self, num_done: Callable[[], int]) -> None:
        last, since_s = -1, time.monotonic()
        while (done := num_done()) < self._sent:
            if done != last:
                last, since_s = done, time.monotonic()
            if time.monotonic() - since_s > 30:
                raise SystemExit(f"{self._sent - done} events are missing")
            time.sleep(0.005)


class Feed(FakeServer):
    """Sends made-up posts to its one client, as told through a pipe."""

    def __init__(self, orders: Connection) -> None:
        self._orders = orders
        self._number = 0
        self.has_ended = threading.Event()
        super().__init__()

    def serve(self, peer: Peer) -> None:
        """Obey."""
        peer.read_request()
        peer.upgrade()
        while True:
            kind, rate, number = (*self._orders.recv(), 0)[:3]
            if kind == "end":
                self.has_ended.set()
                return
            start_s, sent = time.monotonic(), 0
            while sent < number:
                due = number if kind == "burst" else int((time.monotonic() - start_s) * rate) + 1
                batch = min(due, number, sent + 1000) - sent
                peer.socket.sendall(b"".join(self._make() for _ in range(batch)))
                sent += batch
                if kind == "rate" and sent >= due:
                    time.sleep(TICK_S)

    def _make(self) -> bytes:
        self._number += 1
        n, now_us = self._number, time.time_ns() // 1000
        text = " ".join(WORDS[(n * step) % len(WORDS)] for step in range(1, 15)) + f" {n}"
        return frame(
            f'{{"did":"did:plc:{n % 100_003:024d}","time_us":{now_us},"kind":"commit","commit":{{'
            f'"rev":"3mpu{n:09d}","operation":"create","collection":"app.bsky.feed.post","rkey":"3k{n:011d}",'
            f'"record":{{"$type":"app.bsky.feed.post","createdAt":"2026-11-22T08:00:00.000Z","langs":["en"],'
            f'"reply":{{"parent":{{"cid":"bafyreidqpc7si3dbimffi64lz3xsx2","uri":"at://did:plc:x/app.bsky.feed.post/p"}},'
            f'"root":{{"cid":"bafyreidqpc7si3dbimffi64lz3xsx2","uri":"at://did:plc:x/app.bsky.feed.post/p"}}}},'
            f'"text":"{text}"}},"cid":"bafyreicl7rzkxdrm4zz2ehbx52kuk3mvfow6p3gzfys72r5grvskxoswy4"}}}}'.encode()
        )


def serve(orders: Connection) -> None:
    """Run the feed in this process."""
    feed = Feed(orders)
    orders.send(feed.port)
    feed.has_ended.wait()
    feed.close()


def _memory_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
