"""Deletions in a corpus of a million posts: how soon, how sure, and how fast compaction is.

    python -m benchmarks.corpus_deletions
    python -m benchmarks.corpus_deletions --posts 10000000 --directory /data/tmp

Invented posts, each with a text of its own. CPU seconds of one thread, but for the delays:
- writing shards (tokens, index, hashes) and reading documents;
- `hubbub corpus follow` in another process: from a deletion's append to the archive to the first read here
  without it;
- leaks: a reader in another process draws batches while deletions come and shards are compacted; a batch that
  holds a post whose deletion had returned before the batch was begun is one;
- compaction, then every token left on the disk is searched for each deleted post.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import percentile, show
from hubbub.corpus.compaction import compact_corpus
from hubbub.corpus.deletions import DeletionFold
from hubbub.corpus.document import Document, Piece
from hubbub.corpus.reader import Corpus, open_corpus
from hubbub.corpus.shards import write_shards
from hubbub.corpus.tokenizer import Tokenizer, train_tokenizer
from hubbub.corpus.tokenizer_json import POST
from hubbub.posts import Deletion
from hubbub.stream import open_archive

BAR_COMPACTION, BAR_DELAY_MS = 1_000_000, 1000
WORDS = (
    "bridge market river lantern quarter rain tram bakery square harbour clock garden ferry tower mill "
    "concert bicycle library storm window museum orchard valley station coffee painter island letter school"
).split()
POSTS_PER_DOCUMENT = 2
NUM_READS, NUM_PROBES, NUM_ROUNDS = 100_000, 30, 40
DEAD_SHARE = 0.03
"""As many posts as a data set of X lost within weeks (the reference's compaction row has 3.3 %)."""


def text_of(number: int) -> str:
    rng = random.Random(number)
    return f"@a: {number} " + " ".join(rng.choices(WORDS, k=18))


def make_documents(num_posts: int) -> Iterator[Document]:
    for first in range(0, num_posts, POSTS_PER_DOCUMENT):
        pieces = tuple(
            Piece(f"made://{n}", f"made://by/{n % 50_000}", n * 1000, "en", text_of(n))
            for n in range(first, first + POSTS_PER_DOCUMENT)
        )
        yield Document(pieces, False)


def deletions(numbers: list[int], after: int) -> list[tuple[int, Deletion]]:
    return [(after + n, Deletion(id=f"made://{each}", received_us=1)) for n, each in enumerate(numbers, 1)]


def measure_writing(root: Path, num_posts: int, tokenizer: Tokenizer) -> dict[str, Any]:
    texts_s = time.process_time()
    for document in make_documents(min(num_posts, 100_000)):
        assert document.pieces
    texts_s = (time.process_time() - texts_s) * num_posts / min(num_posts, 100_000)
    began_s = time.process_time()
    manifest = write_shards(make_documents(num_posts), root, tokenizer)
    spent_s = time.process_time() - began_s - texts_s
    return {
        "what": f"per CPU second: encode and write {num_posts:,} posts, "
        f"{manifest.num_tokens / num_posts:.0f} tokens each",
        "measured": round(num_posts / spent_s),
        "bar": "-",
    }


def measure_reading(corpus: Corpus) -> dict[str, Any]:
    order = np.random.default_rng(1).integers(0, len(corpus.lengths), NUM_READS).tolist()
    began_s = time.process_time()
    for document in order:
        corpus.read(document)
    return {
        "what": "per CPU second: documents read in random order",
        "measured": round(NUM_READS / (time.process_time() - began_s)),
        "bar": "-",
    }


def measure_delay(root: Path, directory: Path, corpus: Corpus) -> list[dict[str, Any]]:
    """Append to an archive that `hubbub corpus follow` follows, until the document reads empty."""
    delays_ms = []
    with open_archive(root / "archive", "w") as archive:
        command = [sys.executable, "-m", "hubbub.cli.main", "corpus", "follow"]
        child = subprocess.Popen([*command, str(root / "archive"), str(directory)], stderr=subprocess.DEVNULL)
        try:
            for probe in range(NUM_PROBES):
                numbers = [probe * POSTS_PER_DOCUMENT + n for n in range(POSTS_PER_DOCUMENT)]
                began_s = time.monotonic()
                archive.append([event for _, event in deletions(numbers, 0)])
                while len(corpus.read(probe)):
                    time.sleep(0.0005)
                    if time.monotonic() > began_s + 60:
                        raise SystemExit("the deletion was not seen in a minute")
                if probe:  # the first one waits for the program to start
                    delays_ms.append(1000 * (time.monotonic() - began_s))
                time.sleep(random.Random(probe).uniform(0.0, 0.7))
        finally:
            child.terminate()
            child.wait()
    what = "append to the archive -> gone for another process, ms"
    return [
        {"what": f"{what}, {name}", "measured": round(percentile(delays_ms, at), 1), "bar": BAR_DELAY_MS}
        for name, at in (("p50", 50), ("worst", 100))
    ]


def _draw_batches(directory: str, shared: str, results: Any, stop: Any) -> None:
    """Draw batches; whatever was marked dead before a batch was begun may not be in it."""
    memory = SharedMemory(shared)
    is_dead = np.frombuffer(memory.buf, np.uint8)
    corpus = open_corpus(directory, verify=False)
    rng, num_batches, num_leaks = np.random.default_rng(3), 0, 0
    tokenizer_posts = POST
    while not stop.is_set():
        numbers = rng.integers(0, len(corpus.lengths), 64)
        first = numbers * POSTS_PER_DOCUMENT
        dead = is_dead[first] & is_dead[first + 1]
        half = is_dead[first] + is_dead[first + 1]
        for number, is_gone, num_dead in zip(numbers.tolist(), dead, half, strict=True):
            ids = corpus.read(number)
            num_posts = int(np.count_nonzero(ids == tokenizer_posts))
            num_leaks += (is_gone and len(ids) > 0) or num_posts > POSTS_PER_DOCUMENT - num_dead
        num_batches += 1
    results.put((num_batches, num_leaks))
    del is_dead
    memory.close()


def measure_leaks(directory: Path, num_posts: int, dead: list[int]) -> list[dict[str, Any]]:
    """Delete in rounds, compact now and then, while another process reads."""
    memory = SharedMemory(create=True, size=num_posts)
    is_dead = np.frombuffer(memory.buf, np.uint8)[:num_posts]
    results: Any = mp.Queue()
    stop = mp.Event()
    child = mp.Process(target=_draw_batches, args=(str(directory), memory.name, results, stop))
    child.start()
    fold = DeletionFold(directory)
    spent_s, seq = 0.0, fold.mark
    for number, part in enumerate(np.array_split(np.array(dead), NUM_ROUNDS)):
        events = deletions(part.tolist(), seq)
        seq += len(events)
        began_s = time.process_time()
        fold.note(events, seq)
        spent_s += time.process_time() - began_s
        is_dead[part] = 1
        if number % 10 == 5:
            compact_corpus(directory)
        time.sleep(0.05)
    stop.set()
    num_batches, num_leaks = results.get()
    child.join()
    del is_dead
    memory.close()
    memory.unlink()
    note = {
        "what": "per CPU second: deletions noted, synced",
        "measured": round(len(dead) / spent_s),
        "bar": "-",
    }
    what = f"leaks in {num_batches:,} batches of 64 documents, {len(dead):,} deletions, 4 compactions"
    return [note, {"what": what, "measured": num_leaks, "bar": 0}]


def measure_compaction(directory: Path, num_posts: int, share: float, seed: int) -> dict[str, Any]:
    fold = DeletionFold(directory)
    numbers = np.random.default_rng(seed).choice(num_posts, int(num_posts * share), replace=False).tolist()
    fold.note(deletions(numbers, fold.mark), fold.mark + len(numbers))
    began_s = time.process_time()
    report = compact_corpus(directory)
    spent_s = time.process_time() - began_s
    return {
        "what": f"per CPU second: compaction of {report.num_read:,} posts, {report.num_posts:,} of them dead",
        "measured": round(report.num_read / spent_s),
        "bar": BAR_COMPACTION,
    }


def count_left(directory: Path, tokenizer: Tokenizer, dead: list[int]) -> int:
    """Look for every deleted post in every token on the disk."""
    gone = {bytes(each) for n in range(0, len(dead), 1000) for each in _encode(tokenizer, dead[n : n + 1000])}
    num_left = 0
    for path in directory.rglob("tokens.bin"):
        tokens = np.fromfile(path, np.uint16)
        starts = np.flatnonzero(tokens <= POST)
        data = tokens.tobytes()
        for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            num_left += data[2 * start + 2 : 2 * end] in gone
    return num_left


def _encode(tokenizer: Tokenizer, numbers: list[int]) -> list[np.ndarray]:
    return tokenizer.encode_batch([text_of(each) for each in numbers])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--directory", help="where the corpus is made and removed [default: a temporary one]")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tokenizer = train_tokenizer((text_of(n) for n in range(20_000)), 8192)
    with tempfile.TemporaryDirectory(dir=options.directory) as made:
        root, directory = Path(made), Path(made) / "corpus"
        rows = [measure_writing(directory, options.posts, tokenizer)]
        corpus = open_corpus(directory, verify=False)
        rows.append(measure_reading(corpus))
        rows += measure_delay(root, directory, corpus)
        rng = np.random.default_rng(2)
        dead = rng.choice(options.posts, int(options.posts * DEAD_SHARE), replace=False).tolist()
        rows += measure_leaks(directory, options.posts, dead)
        rows.append(measure_compaction(directory, options.posts, DEAD_SHARE, seed=4))
        left = count_left(directory, tokenizer, dead)
        what = f"of {len(dead):,} deleted posts found in the tokens on the disk"
        rows.append({"what": what, "measured": left, "bar": 0})
    show(rows, options.json)


if __name__ == "__main__":
    main()
