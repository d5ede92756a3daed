"""What resuming and saving cost: kill -9, other numbers of ranks, and for how long a save blocks.

A Llama of 10 million weights on an invented corpus, fp32, one thread a rank. The run on one rank without a
break is the measure: after kill -9 the losses must be equal to the bit, over 2 -> 1, 1 -> 2 and 2 -> 4 ranks
to five digits. A save blocks while the state is copied; the writing goes on beside the training.

    python -m benchmarks.train_resume [--params 10M]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.train_speed import write_corpus
from hubbub.train.launch import start_ranks
from hubbub.train.metrics import read_events, read_metrics

SAVE, STEPS = 4, 12


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--params", default="10M")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        command = [
            sys.executable, "-m", "hubbub.cli.main", "train", str(write_corpus(root / "corpus")), "RUN",
            "--params", args.params, "--steps", str(STEPS), "--batch-tokens", "2056", "--micro-tokens", "514",
            "--precision", "fp32", "--save-every", str(SAVE), "--keep", "9", "--seq", "257",
        ]  # fmt: skip
        go(command, root / "whole", 1)
        whole = losses(root / "whole")
        go(command, root / "killed", 1, kill_at=SAVE + 2)
        go(command, root / "killed", 1)
        print(f"{'kill -9, same rank':22} equal to the bit: {losses(root / 'killed') == whole}")
        go(command, cut(root / "whole", root / "two", SAVE), 2)
        told("1 -> 2", root / "two", whole)
        go(command, cut(root / "two", root / "one", 2 * SAVE), 1)
        told("2 -> 1", root / "one", whole)
        go(command, cut(root / "two", root / "four", 2 * SAVE), 4)
        told("2 -> 4", root / "four", whole)
        for run in ("whole", "two", "four"):
            saved = [event.text for event in read_events(root / run) if event.what == "saved"]
            blocked = [float(re.findall(r"[\d.]+", text)[0]) for text in saved]
            size = sum(p.stat().st_size for p in (root / run / "checkpoints").glob("*12/*")) / 1e6
            middle = statistics.median(blocked)
            print(f"saves of {run:13} blocked {middle:.3f} s (most {max(blocked):.3f}) for {size:.0f} MB")


def go(command: list[str], run: Path, nproc: int, kill_at: int = 0) -> None:
    """Run the command on so many ranks to its end, or kill it with -9 after a step."""
    line = [str(run) if word == "RUN" else word for word in command]
    ranks = start_ranks(line, nproc, {"GLOO_SOCKET_IFNAME": "lo"})
    while kill_at and not any(step.step >= kill_at for step in read_metrics(run)):
        time.sleep(0.02)
        if ranks[0].poll() is not None:
            raise SystemExit("the run ended before it could be killed")
    if kill_at:
        ranks[0].send_signal(signal.SIGKILL)
    codes = [rank.wait() for rank in ranks]
    if codes != [-signal.SIGKILL if kill_at else 0] * nproc:
        raise subprocess.CalledProcessError(codes[0], line)


def cut(run: Path, copy: Path, step: int) -> Path:
    """Copy a run as it was at a step."""
    late = [f"step-{number:08d}" for number in range(step + 1, STEPS + 1)]
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns(*late))
    return copy


def told(what: str, run: Path, whole: dict[int, float]) -> None:
    found = losses(run)
    worst = max(abs(found[step] / whole[step] - 1) for step in whole)
    print(
        f"{what + ' ranks':22} equal to five digits: {worst < 1e-5} (largest relative difference {worst:.1e})"
    )


def losses(run: Path) -> dict[int, float]:
    return {step.step: step.loss for step in read_metrics(run)}


if __name__ == "__main__":
    main()
