"""How fast events are appended in batches and read back cold, the archive beside SQLite's WAL, on one core.

    python -m benchmarks.archive                       # generated events
    python -m benchmarks.archive --posts FILE.ndjson.gz ... --number 200000

Append: encoding and writing, every batch acknowledged (it survives kill -9), synced once a second and at the
end. Replay: a new reader decodes everything to typed events; the kernel is asked to forget the files first.
Then the archive alone: how long appends and reads wait while a tenth of the posts is erased, and how soon
another process hears of an event.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.archive_sqlite import SqliteArchive
from benchmarks.made_posts import make_posts, read_posts
from benchmarks.report import percentile, show
from hubbub.posts import Deletion, Event, Post
from hubbub.stream import open_archive

START_US = 1_700_000_000_000_000


class _Log(Protocol):
    def append(self, events: Sequence[Event]) -> range: ...
    def flush(self) -> None: ...
    def read(self) -> Iterator[tuple[int, Event]]: ...
    def close(self) -> None: ...


SEGMENTS = "segments (hubbub)"
STORAGES: dict[str, Callable[[Path], _Log]] = {
    SEGMENTS: open_archive,
    "sqlite wal, row a batch": lambda path: SqliteArchive(path, is_row_per_batch=True),
    "sqlite wal, row an event": lambda path: SqliteArchive(path, is_row_per_batch=False),
}


def generate(number: int) -> list[Post]:
    """Generate posts of nonsense words with fresh ids, as Jetstream would deliver them."""
    rng = random.Random(1)
    words = ["".join(rng.choices("aeiounrstlmdkp", k=rng.randint(2, 9))) for _ in range(5000)]
    posts = []
    for place in range(number):
        did, key = f"did:plc:{rng.getrandbits(100):024x}", f"3k{rng.getrandbits(50):013x}"
        post = Post(
            id=f"at://{did}/app.bsky.feed.post/{key}",
            author=did,
            text=" ".join(rng.choices(words, k=rng.randint(3, 30))),
            received_us=START_US + place * 172,
            claimed_us=START_US + place * 172 - 900_000,
            langs=("en",),
            url=f"https://bsky.app/profile/{did}/post/{key}",
        )
        posts.append(post)
    return posts


def measure(name: str, events: list[Post], batch: int, directory: Path) -> dict[str, object]:
    """Append everything, read everything."""
    path = directory / name.replace(" ", "-")
    log = STORAGES[name](path)
    waits_ms = []
    wall_s, cpu_s = time.monotonic(), time.process_time()
    next_flush_s = wall_s + 1
    for place in range(0, len(events), batch):
        start_s = time.monotonic()
        log.append(events[place : place + batch])
        if start_s >= next_flush_s:
            log.flush()
            next_flush_s = start_s + 1
        waits_ms.append((time.monotonic() - start_s) * 1000)
    log.flush()
    append_wall_s, append_cpu_s = time.monotonic() - wall_s, time.process_time() - cpu_s
    log.close()
    num_bytes = sum(file.stat().st_size for file in path.iterdir())
    drop_cache(path)
    wall_s, cpu_s = time.monotonic(), time.process_time()
    log = open_archive(path, "r") if name == SEGMENTS else STORAGES[name](path)
    num_read = sum(1 for _ in log.read())
    replay_wall_s, replay_cpu_s = time.monotonic() - wall_s, time.process_time() - cpu_s
    log.close()
    assert num_read == len(events)
    return {
        "storage": name,
        "appended/s": round(len(events) / append_wall_s),
        "appended/cpu-s": round(len(events) / append_cpu_s),
        "batch p99 ms": percentile(waits_ms, 99),
        "replayed/s": round(num_read / replay_wall_s),
        "replayed/cpu-s": round(num_read / replay_cpu_s),
        "bytes/event": round(num_bytes / len(events)),
    }


def drop_cache(path: Path) -> None:
    """Ask the kernel to forget the files' pages, so that reading is cold."""
    for file in path.iterdir():
        fd = os.open(file, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def measure_erasing(events: list[Post], directory: Path) -> dict[str, object]:
    """Delete every tenth post, compact, and note how long appends and reads wait meanwhile."""
    with open_archive(directory / "erasing") as archive:
        for place in range(0, len(events), 256):
            archive.append(events[place : place + 256])
        archive.append([Deletion(id=event.id, received_us=START_US) for event in events[::10]])
        reports: list[object] = []
        thread = threading.Thread(target=lambda: reports.append(archive.compact(START_US)))
        thread.start()
        append_ms, read_ms = [], []
        rng = random.Random(2)
        while thread.is_alive():
            start_s = time.monotonic()
            archive.append(events[:16])
            middle_s = time.monotonic()
            list(archive.read(rng.randrange(len(events)), 16))
            append_ms.append((middle_s - start_s) * 1000)
            read_ms.append((time.monotonic() - middle_s) * 1000)
            time.sleep(0.005)
        thread.join()
    return {"report": reports[0], "append_ms": append_ms, "read_ms": read_ms}


def _listen(path: str, number: int, heard: list[float]) -> None:
    with open_archive(path, "r") as archive:
        heard[0] = time.monotonic()
        for seq in range(number):
            archive.wait(seq, 10)
            heard[seq + 1] = time.monotonic()


def measure_hearing(directory: Path, number: int = 300) -> list[float]:
    """Append single events and note how many ms later a waiting process knows, half of them after a pause."""
    path = directory / "hearing"
    with open_archive(path) as archive:
        heard = multiprocessing.Array("d", number + 1, lock=False)
        listener = multiprocessing.Process(target=_listen, args=(str(path), number, heard))
        listener.start()
        while not heard[0]:
            time.sleep(0.01)
        delays_ms = []
        for seq in range(number):
            time.sleep(0.002 if seq % 2 else 0.03)
            start_s = time.monotonic()
            archive.append([Deletion(id="x:1", received_us=1)])
            while not heard[seq + 1]:
                time.sleep(0.0005)
            delays_ms.append((heard[seq + 1] - start_s) * 1000)
        listener.join()
    return delays_ms


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--posts", nargs="*", metavar="FILE", help="NDJSON of real posts instead of generated ones"
    )
    parser.add_argument("--number", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.posts:
        sources = read_posts(options.posts)
        events = list(make_posts(sources, options.number, start_us=START_US, posts_per_s=5800))
    else:
        events = generate(options.number)
    all_cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        os.sched_setaffinity(0, {min(all_cores)})
        rows = [measure(storage, events, options.batch, directory) for storage in STORAGES]
        os.sched_setaffinity(0, all_cores)
        erasing = measure_erasing(events, directory)
        hearing_ms = measure_hearing(directory)
    report = erasing["report"]
    side = {
        "erasing": f"{report.num_erased} of {len(events)} posts in {report.took_s:.1f} s",
        "append p50 ms": percentile(erasing["append_ms"], 50),
        "append max ms": max(erasing["append_ms"]),
        "read p50 ms": percentile(erasing["read_ms"], 50),
        "read max ms": max(erasing["read_ms"]),
        "heard p50 ms": percentile(hearing_ms, 50),
        "heard p99 ms": percentile(hearing_ms, 99),
    }
    if options.json:
        show([*rows, side], True)
        return
    show(rows, False)
    print()
    show([side], False)


if __name__ == "__main__":
    main()
