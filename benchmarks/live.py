"""How soon posts are found, deletions bite and answers begin, while posts keep arriving at a real server.

    python -m benchmarks.live --posts ../shared/data/posts/*.ndjson.gz --size 1000000 --rate 500 --seconds 60

Starts `hubbub serve --follow -` on a directory that holds `--size` posts, feeds it lines at `--rate`, and
asks over HTTP as a page would. Times run from writing the line to the answer that shows its effect.
`--data` keeps the prepared directory for the next run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import msgspec

from benchmarks.made_posts import make_posts, read_posts, write_posts
from benchmarks.report import percentile, show
from hubbub.posts import Deletion, Post
from hubbub.server.remote import read_address
from hubbub.units import now_us

START_US = 1_700_000_000_000_000
GIVE_UP_S = 10.0
COMMAND = [sys.executable, "-m", "hubbub.cli.main"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", nargs="+", required=True, metavar="FILE", help="NDJSON of real posts")
    parser.add_argument(
        "--size", type=int, default=100_000, help="posts that are there before the clock starts"
    )
    parser.add_argument("--rate", type=float, default=500.0, help="posts that arrive a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--data", metavar="DIR", help="keep the prepared directory here")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    posts = read_posts(options.posts)
    with contextlib.ExitStack() as stack:
        data = Path(options.data or stack.enter_context(tempfile.TemporaryDirectory()))
        prepare(data, posts, options.size)
        show(Live(data, posts, options).run(), options.json)


def prepare(data: Path, posts: list[Post], size: int) -> None:
    """Fill a data directory once, as `hubbub follow` does."""
    if (data / "archive").is_dir():
        return
    data.mkdir(parents=True, exist_ok=True)
    path = str(data / "made.ndjson")
    write_posts(path, make_posts(posts, size, start_us=START_US, posts_per_s=50))
    subprocess.run([*COMMAND, "follow", path, "--data", str(data)], check=True, stdout=subprocess.DEVNULL)
    os.unlink(path)


class Live:
    """One server under load, and what was timed."""

    def __init__(self, data: Path, posts: list[Post], options: argparse.Namespace) -> None:
        self._data, self._posts, self._options = data, posts, options
        self._times_ms: dict[str, list[float]] = defaultdict(list)
        self._lines: threading.Lock = threading.Lock()
        self._rng = random.Random(5)
        self._is_over = threading.Event()
        self._num_fed = 0

    def run(self) -> list[dict[str, object]]:
        """Start, measure, stop; one row a metric."""
        start_s = time.monotonic()
        (self._data / "address.json").unlink(missing_ok=True)
        command = [*COMMAND, "serve", "--port", "0", "--follow", "-", "--data", str(self._data)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
            self._server = server
            url = self._wait_for_address(server)
            with httpx2.Client(base_url=url, timeout=GIVE_UP_S * 3, trust_env=False) as client:
                self._client = client
                self._ask(self._question())
                first_answer_s = time.monotonic() - start_s
                self._measure()
                memory_mib = _peak_mib(server.pid)
            server.stdin = None
            server.terminate()
        return self._rows(first_answer_s, memory_mib)

    def _wait_for_address(self, server: subprocess.Popen[bytes]) -> str:
        while server.poll() is None:
            address = read_address(self._data)
            if address is not None:
                return address.url
            time.sleep(0.005)
        raise SystemExit(f"`hubbub serve` ended with exit code {server.returncode}")

    def _measure(self) -> None:
        feeder = threading.Thread(target=self._feed)
        feeder.start()
        end_s = time.monotonic() + self._options.seconds
        probe = 0
        while time.monotonic() < end_s:
            probe += 1
            self._probe(f"xprobe{os.getpid()}n{probe}")
            if probe % 3 == 0:
                self._ask(self._question())
            self._timed(
                "search",
                lambda: self._client.get("/api/search", params={"q": self._words(2)}).raise_for_status(),
            )
            time.sleep(0.02)
        self._is_over.set()
        feeder.join()

    def _feed(self) -> None:
        """Write lines at the given rate, catching up after a stall."""
        made = make_posts(self._posts, 10_000_000, start_us=0, posts_per_s=1, seed=9)
        start_s = time.monotonic()
        while not self._is_over.wait(0.01):
            due = int((time.monotonic() - start_s) * self._options.rate)
            while self._num_fed < due:
                self._num_fed += 1
                post = next(made)
                self._write(
                    msgspec.structs.replace(
                        post, id=f"live://{os.getpid()}/{self._num_fed}", received_us=now_us()
                    )
                )

    def _write(self, event: Post | Deletion) -> None:
        with self._lines:
            assert self._server.stdin is not None
            self._server.stdin.write(msgspec.json.encode(event) + b"\n")
            self._server.stdin.flush()

    def _probe(self, word: str) -> None:
        """Time one post's way in and its deletion's way through."""
        post_id = f"live://{word}"
        self._write(Post(id=post_id, author="live://a", text=f"{word} arrives now", received_us=now_us()))
        self._timed("received -> searchable", lambda: self._until(lambda: bool(self._search(word))))
        self._write(Deletion(id=post_id, received_us=now_us()))
        self._timed("deleted -> gone", lambda: self._until(lambda: not self._search(word)))

    def _until(self, is_so: Callable[[], bool]) -> None:
        end_s = time.monotonic() + GIVE_UP_S
        while not is_so():
            if time.monotonic() > end_s:
                raise SystemExit(f"no effect within {GIVE_UP_S} s")
            time.sleep(0.002)

    def _search(self, word: str) -> list[object]:
        hits = self._client.get("/api/search", params={"q": word, "limit": "1"}).json()["hits"]
        return [hit for hit in hits if word in hit["post"]["text"]]

    def _ask(self, question: str) -> None:
        start_s = time.monotonic()
        is_first = defaultdict(lambda: True)
        with self._client.stream("GET", "/api/ask", params={"q": question}) as response:
            for line in _data_lines(response):
                kind = msgspec.json.decode(line)["type"]
                if is_first[kind]:
                    is_first[kind] = False
                    self._times_ms[
                        {"found": "first evidence", "sentence": "first cited sentence"}.get(kind, kind)
                    ].append((time.monotonic() - start_s) * 1000)
                if kind == "done":
                    return

    def _question(self) -> str:
        return f"What is happening with {self._words(2)}?"

    def _words(self, number: int) -> str:
        while True:
            words = [w for w in self._rng.choice(self._posts).text.split() if w.isalpha() and len(w) > 4]
            if len(words) >= number:
                return " ".join(self._rng.sample(words, number))

    def _timed(self, name: str, call: Callable[[], object]) -> None:
        start_s = time.monotonic()
        call()
        self._times_ms[name].append((time.monotonic() - start_s) * 1000)

    def _rows(self, first_answer_s: float, memory_mib: float) -> list[dict[str, object]]:
        bars = {
            "received -> searchable": "p99 <= 1000",
            "deleted -> gone": "p99 <= 1000",
            "first evidence": "p95 <= 300",
            "first cited sentence": "p95 <= 700",
            "search": "p99 <= 100 (over HTTP)",
        }
        rows: list[dict[str, object]] = []
        for name, bar in bars.items():
            times = self._times_ms[name]
            rows.append(
                {"what": name, "number": len(times)}
                | {f"p{p} ms": round(percentile(times, p), 1) for p in (50, 95, 99)}
                | {"bar": bar}
            )
        for name, value, bar in (
            ("start to first answer, s", first_answer_s, "<= 3"),
            ("peak memory of the server, MiB", memory_mib, "<= 3072"),
            ("posts fed a second", self._num_fed / self._options.seconds, ">= 500"),
        ):
            rows.append(
                {
                    "what": name,
                    "number": round(value, 2),
                    "p50 ms": "",
                    "p95 ms": "",
                    "p99 ms": "",
                    "bar": bar,
                }
            )
        return rows


def _data_lines(response: httpx2.Response) -> Iterator[str]:
    response.raise_for_status()
    return (line[5:] for line in response.iter_lines() if line.startswith("data:"))


def _peak_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
