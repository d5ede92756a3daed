"""What the index costs: writing, finding, taking back, memory and opening, at 100,000 and 1,000,000 posts.

    python -m benchmarks.index --posts ../shared/data/posts/*.ndjson.gz --size 100000 --size 1000000
    python -m benchmarks.index --posts FILES --size 60000 --peers chroma,lancedb,txtai --peer-python PYTHON

Posts: the given ones, then halves of two spliced, 200,000 authors (Zipf). Filtered queries ask for English
and the last seven days of thirty. A query is 2-4 rarer words of a stored post. Peers get the same posts and
vectors, in one process each. CPU times are the comparable figure on a busy machine.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.made_posts import make_posts, read_posts
from benchmarks.report import percentile, show
from hubbub.index import Index, Query, open_index
from hubbub.posts import Deletion, Event, Post

START_US = 1_700_000_000_000_000
DAYS = 30
BATCH = 256
PACED_POSTS_PER_S = 500
NUM_QUERIES = 300
QUIET_S = 60.0
"""So long nothing is rebuilt any more: a merging takes half of it."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", nargs="+", required=True, metavar="FILE", help="NDJSON of real posts")
    parser.add_argument("--size", type=int, action="append", help="posts in the index (default 100000)")
    parser.add_argument("--embedder", default="static")
    parser.add_argument("--backend", default="edge", help="edge or sqlite")
    parser.add_argument("--paced-s", type=float, default=20.0, help="length of the run at 500 posts/s")
    parser.add_argument("--keep", metavar="DIR", help="build the index here and leave it")
    parser.add_argument("--peers", default="", help="chroma,lancedb,txtai: those to run beside it")
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter that has the peers")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    sources = read_posts(args.posts)
    sizes = args.size or [100_000]
    if args.peers:
        from benchmarks.index_peers import measure_peers

        posts, asked = list(posts_over_days(sources, sizes[0])), list(queries(sources, random.Random(5)))
        show(measure_peers(posts, asked, args.peers.split(","), args.peer_python, args.embedder), args.json)
        return
    show([measure(sources, size, args) for size in sizes], args.json)


def measure(sources: list[Post], size: int, args: argparse.Namespace) -> dict[str, object]:
    directory = Path(args.keep or tempfile.mkdtemp(prefix="hubbub-index-"))
    url = f"{args.backend}:{directory}"
    row: dict[str, object] = {"engine": f"hubbub {args.backend}", "posts": size}
    try:
        index = open_index(url, args.embedder)
        if index.position < size:
            row |= fill(index, posts_over_days(sources, size))
        row |= wait_for_sealing(index)
        asked = list(queries(sources, random.Random(5)))
        row |= timed("plain", index, [Query(text=text, limit=20) for text in asked])
        week = {"from_us": START_US + 23 * 86_400_000_000, "langs": ("en",)}
        row |= timed("filtered", index, [Query(text=text, limit=20, **week) for text in asked])  # type: ignore[arg-type]
        row |= paced(index, sources, size, asked, args.paced_s)
        index.close()
        row |= opened(url, args.embedder, asked[0])
        row["disk_mb"] = round(disk_bytes(directory) / 1e6)
    finally:
        if not args.keep:
            shutil.rmtree(directory, ignore_errors=True)
    return row


def posts_over_days(sources: list[Post], size: int) -> Iterator[Post]:
    return make_posts(sources, size, start_us=START_US, posts_per_s=size / (DAYS * 86_400))


def fill(index: Index, posts: Iterator[Post]) -> dict[str, object]:
    """Fold posts that lie ready, in batches of 256; the making of the posts is not counted."""
    cpu_s = wall_s = 0.0
    seq = 0
    while batch := [post for _, post in zip(range(BATCH), posts, strict=False)]:
        events = list(enumerate(batch, seq + 1))
        cpu, wall = time.process_time(), time.perf_counter()
        seq = index.fold(events)
        cpu_s += time.process_time() - cpu
        wall_s += time.perf_counter() - wall
    return {"ingest_per_cpu_s": round(seq / cpu_s), "ingest_per_s": round(seq / wall_s)}


def wait_for_sealing(index: Index) -> dict[str, object]:
    """Wait until every full slice is sealed and no more are merged."""
    start = changed = time.perf_counter()
    before = index.stats()
    while time.perf_counter() - changed < QUIET_S or before.num_shards - before.num_sealed > 1:
        time.sleep(0.2)
        now = index.stats()
        if (now.num_shards, now.num_sealed) != (before.num_shards, before.num_sealed):
            before, changed = now, time.perf_counter()
    return {"sealed_after_s": round(changed - start, 1), "slices": before.num_shards}


def queries(sources: list[Post], rng: random.Random) -> Iterator[str]:
    """Yield 2-4 words of a post each, its rarer ones."""
    counts = Counter(word for post in sources[:50_000] for word in post.text.lower().split())
    for _ in range(NUM_QUERIES):
        words = sorted(set(rng.choice(sources).text.lower().split()), key=lambda word: counts[word])
        yield " ".join(word for word in words[: rng.randint(2, 4)] if word.isalnum()) or "news"


def timed(name: str, index: Index, asked: list[Query]) -> dict[str, object]:
    for query in asked[:20]:
        index.search(query)
    gc.collect()
    walls = []
    cpu = time.process_time()
    for query in asked:
        start = time.perf_counter()
        index.search(query)
        walls.append((time.perf_counter() - start) * 1000)
    cpu_ms = (time.process_time() - cpu) / len(asked) * 1000
    return {
        f"{name}_cpu_ms": round(cpu_ms, 2),
        f"{name}_p50_ms": round(percentile(walls, 50), 2),
        f"{name}_p99_ms": round(percentile(walls, 99), 2),
    }


def paced(
    index: Index, sources: list[Post], size: int, asked: list[str], seconds: float
) -> dict[str, object]:
    """While 500 posts a second arrive: ask, and time posts from arrival to found, deletions to gone."""
    if seconds <= 0:
        return {}
    walls: list[float] = []
    is_over = threading.Event()
    reader = threading.Thread(target=_ask_on, args=(index, asked, walls, is_over))
    reader.start()
    visible, gone = [], []
    posts = make_posts(sources, 10**9, start_us=START_US + DAYS * 86_400_000_000, posts_per_s=500, seed=2)
    seq = size
    begin = time.perf_counter()
    while (now := time.perf_counter() - begin) < seconds:
        due = int(now * PACED_POSTS_PER_S) - (seq - size)
        if due < 1:
            time.sleep(0.001)
            continue
        batch = [paced_post(seq + 1 + place, next(posts)) for place in range(due)]
        last = batch[-1][1].id
        visible.append(until(index, batch, last, True))
        seq += due + 1
        gone.append(until(index, [(seq, Deletion(id=last, received_us=seq))], last, False))
    is_over.set()
    reader.join()
    return {
        "paced_query_p50_ms": round(percentile(walls, 50), 2),
        "paced_query_p99_ms": round(percentile(walls, 99), 2),
        "visible_p50_ms": round(percentile(visible, 50), 2),
        "visible_p99_ms": round(percentile(visible, 99), 2),
        "gone_p50_ms": round(percentile(gone, 50), 2),
        "gone_p99_ms": round(percentile(gone, 99), 2),
    }


def _ask_on(index: Index, asked: list[str], walls: list[float], is_over: threading.Event) -> None:
    rng = random.Random(9)
    while not is_over.is_set():
        start = time.perf_counter()
        index.search(Query(text=rng.choice(asked), limit=20))
        walls.append((time.perf_counter() - start) * 1000)
        is_over.wait(0.1)


def paced_post(seq: int, post: Post) -> tuple[int, Event]:
    text = f"{post.text} paced{seq}"
    return seq, Post(
        id=f"paced://{os.getpid()}/{seq}", author=post.author, text=text, received_us=post.received_us
    )


def until(index: Index, events: Sequence[tuple[int, Event]], post_id: str, is_there: bool) -> float:
    """Fold events and search until the post is there, or gone; return milliseconds."""
    query = Query(phrases=("paced" + post_id.rpartition("/")[2],), limit=1)
    start = time.perf_counter()
    index.fold(events)
    while bool(index.search(query)) != is_there:
        if time.perf_counter() - start > 10:
            raise AssertionError(f"{post_id}: a change did not show within 10 s")
    return (time.perf_counter() - start) * 1000


OPEN = """
import sys, time
start = time.perf_counter()
from hubbub.index import Query, open_index
index = open_index(sys.argv[1], sys.argv[2])
hits = index.search(Query(text=sys.argv[3], limit=20))
first = time.perf_counter() - start
index._backend.wait_ready()
ready = time.perf_counter() - start
for line in open("/proc/self/status"):
    if line.startswith(("VmRSS", "RssAnon")):
        print(line.split()[1], end=" ")
print(first, ready, len(hits))
index.close()
"""


def opened(url: str, embedder: str, text: str) -> dict[str, object]:
    """Open the index in a new process: time to the first answer, time until all is loaded, memory."""
    command = [sys.executable, "-c", OPEN, url, embedder, text]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return {
        "first_answer_s": round(float(said[2]), 2),
        "all_loaded_s": round(float(said[3]), 2),
        "rss_mb": round(int(said[0]) / 1024),
        "anonymous_mb": round(int(said[1]) / 1024),
    }


def disk_bytes(directory: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
