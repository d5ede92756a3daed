"""Starts the ranks of one machine as processes and ends them together; torchrun's environment, no torch."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from hubbub.errors import HubbubError
from hubbub.train.faults import Requests

GRACE_S = 15.0
_POLL_S = 0.05


def launch(command: Sequence[str], nproc: int, *, tell: Callable[[str], None]) -> None:
    """Run a command `nproc` times, as ranks that find each other, and wait for all; signals are passed on.

    When one fails the others are ended: they could only wait for it.

    Raises:
        HubbubError: a rank failed; the message names it.
    """
    ranks = start_ranks(command, nproc)
    with Requests() as requests:
        failed = watch(ranks, requests, tell)
    if failed is not None:
        rank, code = failed
        how = f"was killed by signal {-code}" if code < 0 else f"left with code {code}"
        raise HubbubError(
            f"rank {rank} of {nproc} {how}; the same command goes on from the last checkpoint, also with a "
            f"smaller --nproc"
        )


def adopt_slurm(environment: Mapping[str, str]) -> dict[str, str]:
    """Return torchrun's variables for a task of `srun`, none for anything else.

    The ranks meet at the node that `srun` ran on, which is the first of a batch job, at a port that follows
    from the job's number and from the port on which its `srun` listens: two clusters on one machine both
    have a job 1 (srun(1), "output environment variables").
    """
    if "RANK" in environment or "SLURM_STEP_ID" not in environment:
        return {}
    if int(environment.get("SLURM_NTASKS", 1)) < 2:
        return {}
    number = int(environment["SLURM_JOB_ID"]) + int(environment.get("SLURM_STEP_LAUNCHER_PORT", 0))
    return {
        "RANK": environment["SLURM_PROCID"],
        "WORLD_SIZE": environment["SLURM_NTASKS"],
        "LOCAL_RANK": environment["SLURM_LOCALID"],
        "MASTER_ADDR": environment["SLURM_LAUNCH_NODE_IPADDR"],
        "MASTER_PORT": str(12_000 + number % 4_000),
    }


def start_ranks(
    command: Sequence[str], nproc: int, environment: Mapping[str, str] | None = None
) -> list[subprocess.Popen[bytes]]:
    """Start the ranks, with an equal share of the cores each unless OMP_NUM_THREADS says otherwise."""
    shared = {
        "OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // nproc)),
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": str(nproc),
        **(environment or {}),
    }
    return [
        subprocess.Popen(
            command, env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}, start_new_session=True
        )
        for rank in range(nproc)
    ]


def watch(
    ranks: Sequence[subprocess.Popen[bytes]], requests: Requests, tell: Callable[[str], None]
) -> tuple[int, int] | None:
    """Wait for all ranks; return the first that failed and its code, unless they were asked to leave."""
    failed: tuple[int, int] | None = None
    was_asked, deadline_s = False, 0.0
    while any(rank.poll() is None for rank in ranks):
        if requests.signal is not None and not was_asked:
            was_asked = True
            tell("asked to leave: the ranks end their step and save")
            send(ranks, signal.SIGTERM)
        for number, rank in enumerate(ranks):
            if rank.poll() and failed is None and not was_asked:
                failed, deadline_s = (number, rank.returncode), time.monotonic() + GRACE_S
                send(ranks, signal.SIGTERM)
        if failed is not None and time.monotonic() > deadline_s:
            send(ranks, signal.SIGKILL)
        time.sleep(_POLL_S)
    return failed


def send(ranks: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    """Send a signal to those that still run."""
    for rank in ranks:
        if rank.poll() is None:
            rank.send_signal(number)


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
