"""Posts that keep arriving at a real server on its standard input, at a steady rate; it times nothing."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from benchmarks.made_posts import make_posts, write_posts
from hubbub.posts import Deletion, Post
from hubbub.server.remote import read_address
from hubbub.units import now_us

START_US = 1_700_000_000_000_000
COMMAND = [sys.executable, "-m", "hubbub.cli.main"]


def prepare(data: Path, posts: Sequence[Post], size: int) -> None:
    """Fill a data directory once, as `hubbub follow` does."""
    if (data / "archive").is_dir():
        return
    data.mkdir(parents=True, exist_ok=True)
    path = str(data / "made.ndjson")
    write_posts(path, make_posts(posts, size, start_us=START_US, posts_per_s=50))
    subprocess.run([*COMMAND, "follow", path, "--data", str(data)], check=True, stdout=subprocess.DEVNULL)
    os.unlink(path)


@contextlib.contextmanager
def serving_lines(data: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run `hubbub serve --follow -` on a directory; yields the process and its address."""
    (data / "address.json").unlink(missing_ok=True)
    command = [*COMMAND, "serve", "--port", "0", "--follow", "-", "--data", str(data)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        while (address := read_address(data)) is None:
            if server.poll() is not None:
                raise SystemExit(f"`hubbub serve` ended with exit code {server.returncode}")
            time.sleep(0.005)
        yield server, address.url
        server.stdin = None
        server.terminate()


class Feed:
    """Posts written at a rate, from a thread, and single events between them."""

    def __init__(self, server: subprocess.Popen[bytes], posts: Sequence[Post], rate: float) -> None:
        self._server, self._posts, self._rate = server, posts, rate
        self._lines = threading.Lock()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed")
        self.num_fed = 0

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def write(self, event: Post | Deletion) -> None:
        """Let one event arrive now."""
        with self._lines:
            assert self._server.stdin is not None
            self._server.stdin.write(msgspec.json.encode(event) + b"\n")
            self._server.stdin.flush()

    def _run(self) -> None:
        """Write at the given rate, catching up after a stall."""
        made = make_posts(self._posts, 10_000_000, start_us=0, posts_per_s=1, seed=9)
        start_s = time.monotonic()
        while not self._is_over.wait(0.01):
            due = int((time.monotonic() - start_s) * self._rate)
            while self.num_fed < due:
                self.num_fed += 1
                post_id = f"live://{os.getpid()}/{self.num_fed}"
                self.write(msgspec.structs.replace(next(made), id=post_id, received_us=now_us()))


def pick_words(posts: Sequence[Post], number: int, rng: random.Random) -> str:
    """Return words of one of the posts, as somebody might ask for them."""
    while True:
        words = [word for word in rng.choice(posts).text.split() if word.isalpha() and len(word) > 4]
        if len(words) >= number:
            return " ".join(rng.sample(words, number))
