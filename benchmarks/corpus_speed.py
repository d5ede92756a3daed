"""From an archive of real posts to deduplicated token shards: posts a CPU-second; and memory as posts grow.

    python -m benchmarks.corpus_speed --posts a.ndjson.gz ... [--memory 1000000 10000000] [--json]

The posts are written to an archive under a forum's ids, their authors allowing a corpus; the clock runs from
reading it to the finished shards, in one process. Its `own` tokenizer of 8,192 tokens is trained on the way,
a fixed cost; the `given` one is that again. `--memory` builds a corpus of so many made posts (spliced from
the real ones, 40 % of them replies, 2 % deleted) straight from a generator, in a process of its own, and
shows the most memory that it held.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from benchmarks.made_posts import NUM_AUTHORS, make_posts, read_posts
from benchmarks.report import show
from hubbub.corpus.build import BuildReport, build_corpus
from hubbub.corpus.settings import CorpusSettings
from hubbub.posts import ConsentEvent, Deletion, Event, Post
from hubbub.stream import open_archive

NOBODY_CAPPED = CorpusSettings(active_share=0)
"""All posts go the whole way: the made stream's busiest authors would lose most of theirs."""
FORUM = "https://forum.example/"
BATCH = 1000


def moved(post: Post) -> Post:
    """Return a post of X as if it stood on a forum."""
    ids = {
        name: identity and identity.replace("x://", FORUM)
        for name in ("id", "author", "reply_to", "root")
        if (identity := getattr(post, name)) or name in ("reply_to", "root")
    }
    return msgspec.structs.replace(post, **ids)


def allowed(author: str) -> ConsentEvent:
    """Return an author's permission."""
    return ConsentEvent(author=author, scope="corpus", allow=True, received_us=1)


def write_archive(posts: Sequence[Post], directory: Path) -> None:
    """Write the posts and their authors' permissions."""
    events: list[Event] = [allowed(author) for author in {post.author for post in posts}]
    events += posts
    with open_archive(directory) as archive:
        for at in range(0, len(events), BATCH):
            archive.append(events[at : at + BATCH])


def measure_speed(posts: Sequence[Post], work: Path) -> list[dict[str, object]]:
    write_archive([moved(post) for post in posts], work / "archive")
    own = _build(work, "own", NOBODY_CAPPED)
    tokenizer = next((work / "own").glob("tokenizer-*"))
    given = _build(work, "given", msgspec.structs.replace(NOBODY_CAPPED, tokenizer=str(tokenizer)))
    return [{"tokenizer": name, **_row(*each)} for name, each in (("own", own), ("given", given))]


def _build(work: Path, name: str, settings: CorpusSettings) -> tuple[BuildReport, float]:
    with open_archive(work / "archive", "r") as archive:
        begun_s = time.process_time()
        report = build_corpus(archive.read(), work / name, settings)
        return report, time.process_time() - begun_s


def _row(report: BuildReport, took_s: float) -> dict[str, object]:
    return {
        "posts": report.num_posts,
        "posts/CPU-s": round(report.num_posts / took_s),
        "kept": report.num_kept,
        "documents": report.num_documents,
        "tokens": report.manifest.num_tokens,
        **{f"{step} s": seconds for step, seconds in report.seconds.items()},
        "CPU-s": round(took_s, 1),
    }


def made_events(sources: Sequence[Post], number: int) -> Iterator[tuple[int, Event]]:
    """Yield a stream of made posts: threads, deletions, and authors of whom the busiest writes 2 % of all."""
    rng = random.Random(7)
    seq = 0
    known: set[str] = set()
    for place, post in enumerate(make_posts(sources, number, start_us=0, posts_per_s=1000.0)):
        parent = None
        if place and rng.random() < 0.4:
            parent = f"made://post/{max(0, place - 1 - int(rng.expovariate(0.01)))}"
        author = f"made://author/{int(NUM_AUTHORS * rng.random() ** 3)}"
        events: list[Event] = [] if author in known else [allowed(author)]
        known.add(author)
        is_named = rng.random() < 0.5  # half of the platforms name the root of a thread, or near it
        root = parent if is_named else None
        events.append(msgspec.structs.replace(post, author=author, reply_to=parent, root=root))
        if rng.random() < 0.02:
            events.append(
                Deletion(id=f"made://post/{rng.randrange(place + 1)}", received_us=post.received_us)
            )
        for event in events:
            seq += 1
            yield seq, event


def _measure_memory(paths: Sequence[str], number: int, directory: str, answer: str) -> None:
    sources = read_posts(paths)
    before_mb = _peak_mb()
    begun_s = time.process_time()
    report = build_corpus(made_events(sources, number), directory, NOBODY_CAPPED)
    row = {"before MB": before_mb, "peak MB": _peak_mb(), **_row(report, time.process_time() - begun_s)}
    Path(answer).write_text(json.dumps(row))


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


def measure_memory(paths: Sequence[str], number: int, work: Path) -> dict[str, object]:
    answer = work / f"{number}.json"
    arguments = (paths, number, str(work / str(number)), str(answer))
    child = multiprocessing.get_context("spawn").Process(target=_measure_memory, args=arguments)
    child.start()
    child.join()
    found: dict[str, object] = json.loads(answer.read_text())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", nargs="+", required=True, help="NDJSON of our format")
    parser.add_argument("--memory", nargs="*", type=int, default=[], help="numbers of made posts")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        show(measure_speed(read_posts(args.posts), Path(name)), args.json)
    for number in args.memory:
        with tempfile.TemporaryDirectory() as name:
            show([measure_memory(args.posts, number, Path(name))], args.json)


if __name__ == "__main__":
    main()
