"""Near duplicates: one-edit copies found, originals lost, posts a CPU-second; beside datatrove.

    python -m benchmarks.near_duplicates [--posts 100000] [--peer-python VENV/bin/python] [--json]

The set is made: 80 % originals (20.5 words on average, 7 % of them six or fewer, as in real posts; Zipf's
words), 10 % exact copies, 10 % copies with one edit: a word changed, a mention or a link added, a third each.
Copies come later than their originals. `found` is the share of one-edit copies that are not kept, `lost` that
of originals not kept. `build` is all of `build_corpus`, tokenizer and shards included; `MinHash` is what the
peer does too: read lines, hash, compare, write what is kept. The peer, in an environment of its own:
`pip install 'datatrove[processing]==0.10.1' spacy orjson`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.report import show
from hubbub.corpus.build import build_corpus
from hubbub.corpus.clean import batches
from hubbub.corpus.duplicates import NUM_BANDS, Pairs, bands, jaccard, meet, word_pairs
from hubbub.corpus.pii import MENTION, mask_links
from hubbub.corpus.reader import open_corpus
from hubbub.corpus.settings import CorpusSettings
from hubbub.corpus.shards import key_of
from hubbub.corpus.words import digests, distinct, read_words
from hubbub.posts import ConsentEvent, Event, Post

SHORT, LONG = 4, 48
"""Words of the shortest and the longest post; between them a gamma distribution of mean 20.5."""
VOCABULARY = 60_000
KINDS = ("original", "exact", "word", "mention", "link")


class Made(msgspec.Struct, frozen=True):
    """A post of the made set."""

    id: str
    kind: str
    text: str


def make(number: int, seed: int = 1) -> list[Made]:
    """Return the set in order of time."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("aeiouybcdfghklmnprstvw", k=rng.randint(4, 13))) for _ in range(VOCABULARY)]
    weights = list(accumulate(1 / (rank + 3) for rank in range(VOCABULARY)))
    originals = []
    for _ in range(number * 8 // 10):
        length = min(max(round(rng.gammavariate(3, 20.5 / 3)), SHORT), LONG)
        originals.append(" ".join(rng.choices(words, cum_weights=weights, k=length)))
    timed = [(rng.random(), "original", text) for text in originals]
    for place in range(number - len(originals)):
        at, _, text = timed[rng.randrange(len(originals))]
        kind = "exact" if place % 2 else KINDS[2 + place // 2 % 3]
        timed.append((at + (1 - at) * rng.random(), kind, edit(text, kind, words, rng)))
    timed.sort()
    return [Made(f"at://made/{n}", kind, text) for n, (_, kind, text) in enumerate(timed)]


def edit(text: str, kind: str, words: Sequence[str], rng: random.Random) -> str:
    """Return a copy."""
    if kind == "word":
        parts = text.split()
        parts[rng.randrange(len(parts))] = rng.choice(words)
        return " ".join(parts)
    added = {"exact": "", "mention": f"@{rng.choice(words)} ", "link": f"https://t.example/{rng.random()} "}
    return added[kind] + text


def measure_build(made: Sequence[Made], work: Path) -> dict[str, object]:
    settings = CorpusSettings(active_share=0, held_out_share=0, min_words=1, min_letters=0)
    begun_s = time.process_time()
    build_corpus(enumerate(_events(made), 1), work / "corpus", settings)
    took_s = time.process_time() - begun_s
    corpus = open_corpus(work / "corpus")
    kept = corpus.find(np.array([key_of(post.id) for post in made], np.uint64)) >= 0
    return _row(
        "hubbub: build", made, {p.id for p, is_kept in zip(made, kept, strict=True) if is_kept}, took_s
    )


def _events(made: Sequence[Made]) -> Iterator[Event]:
    yield ConsentEvent(author="did:made", scope="corpus", allow=True, received_us=1)
    for number, post in enumerate(made):
        yield Post(id=post.id, author="did:made", text=post.text, received_us=number, langs=("en",))


def measure_minhash(made: Sequence[Made], work: Path) -> dict[str, object]:
    begun_s = time.process_time()
    with open(work / "made.jsonl", "rb") as file:
        lines = [msgspec.json.decode(line, type=Made) for line in file]
    hashes, pairs, found = [], [], []
    for batch in batches(lines, 512):
        words = read_words([MENTION.sub(" ", mask_links(p.text)).replace("<link>", " ") for p in batch])
        hashes.append(digests(words))
        pairs.append(word_pairs(words))
        found.append(bands(pairs[-1]))
    times, keys = np.arange(len(lines)), np.zeros(len(lines), np.uint64)
    exact = meet(np.concatenate(hashes), times, keys).later
    is_kept = np.ones(len(lines), bool)
    is_kept[exact] = False
    rest = np.flatnonzero(is_kept)
    met = meet(
        np.concatenate(found)[rest].ravel(),
        np.repeat(rest, NUM_BANDS),
        np.zeros(len(rest) * NUM_BANDS, np.uint64),
    )
    both = distinct(
        (rest[met.later // NUM_BANDS].astype(np.uint64) << np.uint64(32))
        | rest[met.earlier // NUM_BANDS].astype(np.uint64)
    )
    later, earlier = (both >> np.uint64(32)).astype(np.int64), (both & np.uint64(0xFFFFFFFF)).astype(np.int64)
    sizes = np.concatenate([np.diff(part.starts) for part in pairs])
    joined = Pairs(np.concatenate([part.hashes for part in pairs]), np.concatenate(([0], np.cumsum(sizes))))
    is_kept[later[jaccard(joined, later, earlier) >= CorpusSettings().similarity]] = False
    kept = [post for post, is_one in zip(lines, is_kept, strict=True) if is_one]
    (work / "kept.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, kept)))
    return _row("hubbub: MinHash", made, {post.id for post in kept}, time.process_time() - begun_s)


PEER = """
import sys
from datatrove.executor.local import LocalPipelineExecutor as Executor
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig, MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
work, grams, buckets, rows = sys.argv[1], *map(int, sys.argv[2:5])
config = MinhashConfig(n_grams=grams, num_buckets=buckets, hashes_per_bucket=rows)
reader = JsonlReader(work, glob_pattern="made.jsonl")
out = f"{work}/peer{grams}"
stages = [
    [reader, MinhashDedupSignature(f"{out}/signatures", config=config, language="eng")],
    [MinhashDedupBuckets(f"{out}/signatures", f"{out}/buckets", config=config)],
    [MinhashDedupCluster(f"{out}/buckets", f"{out}/remove", config=config)],
    [reader, MinhashDedupFilter(f"{out}/remove"), JsonlWriter(f"{out}/kept", compression=None)],
]
for number, pipeline in enumerate(stages):
    tasks = buckets if number == 1 else 1
    Executor(pipeline, tasks=tasks, workers=1, logging_dir=f"{out}/logs{number}").run()
"""


def measure_peer(
    made: Sequence[Made], work: Path, python: str, grams: int, num: int, rows: int
) -> dict[str, object]:
    before = os.times()
    command = [python, "-c", PEER, str(work), *map(str, (grams, num, rows))]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    took_s = after.children_user + after.children_system - before.children_user - before.children_system
    kept = set()
    for path in (work / f"peer{grams}" / "kept").glob("*.jsonl"):
        kept |= {json.loads(line)["id"] for line in path.read_text().splitlines()}
    return _row(f"datatrove: {grams}-grams {num}x{rows}", made, kept, took_s)


def _row(tool: str, made: Sequence[Made], kept: set[str], took_s: float) -> dict[str, object]:
    def share(*kinds: str) -> float:
        chosen = [post.id for post in made if post.kind in kinds]
        return 100 * sum(identity not in kept for identity in chosen) / len(chosen)

    return {
        "tool": tool,
        "posts/CPU-s": round(len(made) / took_s),
        "found %": share("word", "mention", "link"),
        "of changed words %": share("word"),
        "exact %": share("exact"),
        "lost %": share("original"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--peer-python", help="python of an environment with datatrove")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    made = make(args.posts)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "made.jsonl").write_bytes(b"".join(msgspec.json.encode(post) + b"\n" for post in made))
        rows = [measure_minhash(made, work), measure_build(made, work)]
        if args.peer_python:
            for setting in ((2, 20, 5), (5, 14, 8)):
                rows.append(measure_peer(made, work, args.peer_python, *setting))
    lengths = [len(post.text.split()) for post in made]
    show(rows, args.json)
    if not args.json:
        print(f"{len(made):,} posts of {sum(lengths) / len(made):.1f} words")
        if args.peer_python:
            ratio = int(str(rows[0]["posts/CPU-s"])) / max(int(str(row["posts/CPU-s"])) for row in rows[2:])
            print(f"MinHash: {ratio:.0f} times the peer's best")


if __name__ == "__main__":
    main()
