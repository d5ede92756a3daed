"""One of two groups of ranks is killed with -9: how long the other stops, what is lost, and whether it heals.

Two groups (each of --nproc ranks, FSDP inside) train one model through a lighthouse on this machine; the
launcher starts the killed group again, which takes weights and moments from its peer. At the end each rank
writes a checksum of its weights: those of the same rank must be equal in both groups.

    python -m benchmarks.train_replicas [--nproc 2]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.train_speed import write_corpus
from hubbub.model.shape import shape_for

STEPS, KILL_AT = 150, 15


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nproc", type=int, default=1, help="ranks of each group")
    parser.add_argument("--params", default="1M")
    parser.add_argument("--worker", metavar="DIR", help="(internal)")
    args = parser.parse_args()
    if args.worker:
        work(Path(args.worker), args.params)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    from hubbub.train.replicas import launch_replicas

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_corpus(root / "corpus")
        command = [
            sys.executable,
            "-m",
            "benchmarks.train_replicas",
            "--worker",
            name,
            "--params",
            args.params,
        ]
        found: dict[str, float] = {}
        killer = threading.Thread(target=kill, args=(root, found))
        killer.start()
        launch_replicas(command, args.nproc, 2, "", tell=lambda text: print(text, file=sys.stderr))
        killer.join()
        report(root, found, args.nproc)


def work(root: Path, params: str) -> None:
    """Train as one rank of a group, and say at which time each batch began."""
    from hubbub.corpus.reader import open_corpus
    from hubbub.model.llama import Llama
    from hubbub.train.recipe import TrainSettings
    from hubbub.train.run import train
    from hubbub.train.source import CorpusSource

    group, rank = os.environ["HUBBUB_GROUP"], os.environ["RANK"]
    corpus = open_corpus(root / "corpus", verify=False)
    model = Llama(shape_for(params, vocab=corpus.vocab_size, seq=257))
    times = (root / f"times-{group}-{rank}").open("a")

    def mark(*_: object) -> None:
        times.write(f"{time.time()}\n")
        times.flush()

    times.write(f"pid {os.getpid()}\n")
    model.register_forward_pre_hook(mark)
    settings = TrainSettings(
        corpus="", run_dir=str(root / "run"), shape=model.shape, steps=STEPS, batch_tokens=1028,
        micro_tokens=514, rate=1e-3, precision="fp32", save_every=50, stall_s=120,
    )  # fmt: skip
    train(settings, source=CorpusSource(corpus, seed=0, batch_tokens=1028), model=model)
    digest = hashlib.blake2b(digest_size=8)
    for weight in model.parameters():
        local = getattr(weight, "_local_tensor", weight)
        digest.update(local.detach().numpy().tobytes())
    (root / f"sum-{group}-{rank}").write_text(digest.hexdigest())


def kill(root: Path, found: dict[str, float]) -> None:
    """Kill the first rank of group 0 once both groups train."""
    from hubbub.train.metrics import read_metrics

    first = root / "times-0-0"
    other = root / "times-1-0"
    while not all(path.exists() and len(path.read_text().split()) > KILL_AT for path in (first, other)):
        time.sleep(0.02)
    before = read_metrics(root / "run")
    found["at_step"] = before[-1].step if before else 0
    found["at_s"] = time.time()
    os.kill(int(first.read_text().split()[1]), signal.SIGKILL)


def report(root: Path, found: dict[str, float], nproc: int) -> None:
    from hubbub.train.metrics import read_events, read_metrics

    times = [float(line) for line in (root / "times-1-0").read_text().splitlines() if line[0] != "p"]
    around = [t for t in times if t > found["at_s"] - 5]
    pause = max(
        (b - a for a, b in zip(around, around[1:], strict=False) if a < found["at_s"] + 5), default=0.0
    )
    lost = sum(event.what == "repeated" for event in read_events(root / "run"))
    steps = [step.step for step in read_metrics(root / "run")]
    sums = {g: [(root / f"sum-{g}-{r}").read_text() for r in range(nproc)] for g in (0, 1)}
    print(f"killed at step {found['at_step']:.0f} of {STEPS}; groups of {nproc} ranks")
    print(f"the other group stopped for {pause:.1f} s (its longest gap between two micro batches)")
    print(f"steps done again: {lost}; every step once in the log: {steps == list(range(1, STEPS + 1))}")
    print(f"checksums of both groups equal: {sums[0] == sums[1]} ({' '.join(sums[0])})")


if __name__ == "__main__":
    main()
