"""Kill -9 a process that folds events, at any moment, also while slices are sealed and swapped; then count.

    python -m benchmarks.index_crash --rounds 20

A child folds a made-up, repeatable stream (posts, edits, deletions, account events) into an index with small
slices, so that one is sealed or compacted all the time, and says after each batch how far it is. It is
killed; the index is opened again. At once, no post may be there whose deletion was acknowledged. After
replaying the stream from the index's own position, exactly what a dictionary holds must be there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

from benchmarks.made_events import Living, event_of
from hubbub.index.edge import EdgeBackend
from hubbub.index.embedding import open_embedder
from hubbub.index.index import Index
from hubbub.index.state import State
from hubbub.posts import Event

SLICE_POSTS = 1500
ERASE_S = 2.0
BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=6.0, help="longest life of a child")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", metavar="DIR", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        fold_forever(Path(args.child))
        return
    result = measure(args.rounds, args.seconds, args.seed)
    print(
        json.dumps(result) if args.json else "\n".join(f"{key:24} {value}" for key, value in result.items())
    )
    if result["lost"] or result["zombies"] or result["doubled"]:
        sys.exit(1)


def measure(rounds: int, seconds: float, seed: int) -> dict[str, int]:
    rng = random.Random(seed)
    directory = Path(tempfile.mkdtemp(prefix="hubbub-crash-"))
    result = {"rounds": rounds, "lost": 0, "doubled": 0, "zombies": 0, "events": 0, "kills_while_sealing": 0}
    try:
        for _ in range(rounds):
            acked, was_sealing = run_child(directory, rng.uniform(0.5, seconds))
            result["kills_while_sealing"] += was_sealing
            check(directory, acked, result)
            result["events"] = acked
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return result


def run_child(directory: Path, seconds: float) -> tuple[int, bool]:
    command = [sys.executable, "-m", "benchmarks.index_crash", "--child", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        said = [child.stdout.readline()]  # the first batch: it is up
        time.sleep(seconds)
        was_sealing = is_sealing(directory)
        child.send_signal(signal.SIGKILL)
        said += child.stdout.readlines()
    whole = [line for line in said if line.endswith("\n")]
    return max(map(int, whole)), was_sealing


def is_sealing(directory: Path) -> bool:
    named = (directory / "slices.json").read_text("utf-8")
    return any(path.name not in named for path in directory.glob("slice-*"))


def check(directory: Path, acked: int, result: dict[str, int]) -> None:
    index = open_small(directory)
    living = Living().advance(acked)
    result["zombies"] += len(index.fetch(living.gone))
    # The archive holds one more batch than was acknowledged at most; then the count is exact.
    visible = living.advance(acked + BATCH).visible()
    index.fold([(seq, event_of(seq)) for seq in range(index.position + 1, living.seq + 1)])
    found = index.fetch([*visible, *living.gone])
    result["lost"] += sum(found.get(post_id) != post for post_id, post in visible.items())
    result["zombies"] += sum(post_id in found for post_id in living.gone)
    while index.stats().num_loading:  # till then a slice is counted as when it was made
        time.sleep(0.01)
    result["doubled"] += max(0, index.stats().num_posts - len(living.posts))
    index.close()


def fold_forever(directory: Path) -> None:
    index = open_small(directory)
    batch: list[tuple[int, Event]] = []
    for seq in count(index.position + 1):
        batch.append((seq, event_of(seq)))
        if len(batch) == BATCH:
            print(index.fold(batch), flush=True)
            batch = []
            time.sleep(0.01)


def open_small(directory: Path) -> Index:
    embedder = open_embedder("hashed:64")
    directory.mkdir(exist_ok=True)
    backend = EdgeBackend(directory, embedder.dim, slice_posts=SLICE_POSTS, erase_s=ERASE_S, calm_s=0)
    return Index(backend, State(directory / "state.db"), embedder)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
