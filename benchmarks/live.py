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
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import msgspec

from benchmarks.arriving import Feed, pick_words, prepare, serving_lines
from benchmarks.made_posts import read_posts
from benchmarks.report import percentile, show
from hubbub.posts import Deletion, Post
from hubbub.units import now_us

GIVE_UP_S = 10.0


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


class Live:
    """One server under load, and what was timed."""

    def __init__(self, data: Path, posts: list[Post], options: argparse.Namespace) -> None:
        self._data, self._posts, self._options = data, posts, options
        self._times_ms: dict[str, list[float]] = defaultdict(list)
        self._rng = random.Random(5)

    def run(self) -> list[dict[str, object]]:
        """Start, measure, stop; one row a metric."""
        start_s = time.monotonic()
        with serving_lines(self._data) as (server, url):
            with httpx2.Client(base_url=url, timeout=GIVE_UP_S * 3, trust_env=False) as client:
                self._client = client
                self._ask(self._question())
                first_answer_s = time.monotonic() - start_s
                with Feed(server, self._posts, self._options.rate) as self._feed:
                    self._measure()
                memory_mib = _peak_mib(server.pid)
        return self._rows(first_answer_s, memory_mib)

    def _measure(self) -> None:
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

    def _probe(self, word: str) -> None:
        """Time one post's way in and its deletion's way through."""
        post_id = f"live://{word}"
        self._feed.write(
            Post(id=post_id, author="live://a", text=f"{word} arrives now", received_us=now_us())
        )
        self._timed("received -> searchable", lambda: self._until(lambda: bool(self._search(word))))
        self._feed.write(Deletion(id=post_id, received_us=now_us()))
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
        is_first: dict[str, bool] = defaultdict(lambda: True)
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
        return pick_words(self._posts, number, self._rng)

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
            ("posts fed a second", self._feed.num_fed / self._options.seconds, ">= 500"),
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
