"""The processes of jobs: started once each, found again by whoever comes next, told to leave.

Every rank of every attempt has a state file. The supervisor locks it (flock(2)) and hands it to the rank's
keeper, so that exactly as long as the keeper lives nobody else gets the lock: no process number is ever
mistaken for another's. A file that is empty and not locked belongs to a rank that never came to be.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hubbub.fleet.local import keeper
from hubbub.fleet.local.journal import Row, write_durably

_BYTES = 2 * keeper.SLOT_BYTES


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What to run; bytes, as the operating system has them. Its file is readable for its owner only."""

    command: list[bytes]
    environment: list[bytes]
    directory: bytes


_OF_A_RANK = {
    b"RANK", b"WORLD_SIZE", b"LOCAL_RANK", b"MASTER_ADDR", b"MASTER_PORT", b"HUBBUB_FLEET_RANK",
    b"HUBBUB_JOB", b"HUBBUB_NODE", b"HUBBUB_GPUS", b"HUBBUB_ATTEMPT",
}  # fmt: skip
"""What a job that submits another must not hand down."""


def task_of(command: Sequence[str], directory: Path | None) -> Task:
    """Return a command with this process's environment, to be run in a directory (None: this one)."""
    return Task(
        command=[os.fsencode(word) for word in command],
        environment=[b"=".join(item) for item in os.environb.items() if item[0] not in _OF_A_RANK],
        directory=os.fsencode((directory or Path.cwd()).resolve()),
    )


class RankState(msgspec.Struct, frozen=True, kw_only=True):
    """A rank now: it never came to be, lives (pid 0: not told yet), ended with a code, or was lost."""

    phase: str
    pid: int = 0
    code: int = 0
    was_told: bool = False
    """SIGTERM reached it before it ended."""
    why: str = ""


def job_directory(directory: Path, job: str) -> Path:
    """Return where a job's files lie."""
    return directory / "jobs" / job


def output_of(directory: Path, job: str) -> Path:
    """Return where all ranks of a job write what they print."""
    return job_directory(directory, job) / "output.log"


def write_task(directory: Path, job: str, task: Task) -> None:
    """Keep what a job runs; raises OSError, and leaves nothing then."""
    path = job_directory(directory, job)
    path.mkdir(mode=0o700, exist_ok=True)
    for old in path.iterdir():
        old.unlink()
    write_durably(path / "task.json", msgspec.json.encode(task))


def forget_task(directory: Path, job: str) -> None:
    """Remove what a job ran, with its environment; its output stays."""
    (job_directory(directory, job) / "task.json").unlink(missing_ok=True)


def _state_file(directory: Path, row: Row, rank: int) -> Path:
    return job_directory(directory, row.id) / f"rank-{row.attempt}.{rank}"


def launch(directory: Path, row: Row, rank: int, grace_s: float) -> None:
    """Start a rank, unless it lives or lived already; raises OSError where that is not possible."""
    path = _state_file(directory, row, rank)
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if os.pread(fd, _BYTES, 0).strip():
            return
        os.pwrite(fd, b" " * _BYTES, 0)
        os.fsync(fd)
        _spawn(directory, row, rank, fd, grace_s)
    finally:
        os.close(fd)


def _spawn(directory: Path, row: Row, rank: int, state_fd: int, grace_s: float) -> None:
    path = job_directory(directory, row.id) / "task.json"
    try:
        task = msgspec.json.decode(path.read_bytes(), type=Task)
    except msgspec.DecodeError as error:
        raise OSError(errno.EIO, f"what it runs cannot be read: {error}", str(path)) from error
    environment = environment_of(task, variables(row, rank, str(_state_file(directory, row, rank))))
    output = str(output_of(directory, row.id))
    started = (sys.executable, "-I", "-S", keeper.__file__, str(grace_s), directory / "wake")
    os.posix_spawn(
        sys.executable,
        [os.fsencode(word) for word in started] + [task.directory, *task.command],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, state_fd, 0),
            (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def environment_of(task: Task, told: Mapping[str, str]) -> dict[bytes, bytes]:
    """Return a task's environment with what its engine tells it."""
    own = {name: value for name, _, value in (entry.partition(b"=") for entry in task.environment)}
    return own | {os.fsencode(name): os.fsencode(value) for name, value in told.items()}


def variables(row: Row, rank: int, token: str, address: str = "127.0.0.1") -> dict[str, str]:
    """Return what a rank finds in its environment besides its owner's: torchrun's variables, and its GPUs."""
    node, _ = row.shares[rank]
    gpus = ",".join(map(str, row.gpu_numbers[rank]))
    told = {
        keeper.TOKEN: token,
        "HUBBUB_JOB": row.id,
        "HUBBUB_TENANT": row.tenant,
        "HUBBUB_NODE": f"{row.pool}-{node + 1}",
        "HUBBUB_GPUS": gpus,
        "HUBBUB_ATTEMPT": str(row.attempt),
    }
    if row.is_real:
        told["CUDA_VISIBLE_DEVICES"] = gpus
    if len(row.shares) > 1:
        told |= {
            "RANK": str(rank),
            "WORLD_SIZE": str(len(row.shares)),
            "LOCAL_RANK": "0",
            "MASTER_ADDR": address,
            "MASTER_PORT": str(row.port),
        }
    return told


def look(directory: Path, row: Row, rank: int) -> RankState:
    """Find out about a rank."""
    path = _state_file(directory, row, rank)
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return RankState(phase="never")
    try:
        is_held = False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            is_held = True
        return read_state(fd, is_held=is_held)
    finally:
        os.close(fd)


def read_state(fd: int, *, is_held: bool) -> RankState:
    """Read a state file whose keeper lives, if `is_held`."""
    begun, ended = (_slot(fd, number) for number in (0, 1))
    if ended:
        return RankState(phase="ended", code=ended["code"], was_told=ended["was_told"], why=ended["why"])
    if is_held:
        return RankState(phase="lives", pid=begun.get("pid", 0))
    return RankState(phase="lost" if begun else "never")


def _slot(fd: int, number: int) -> dict[str, Any]:
    """Read a slot; one that is half-written says nothing yet."""
    try:
        return msgspec.json.decode(
            os.pread(fd, keeper.SLOT_BYTES, number * keeper.SLOT_BYTES), type=dict[str, Any]
        )
    except msgspec.DecodeError:
        return {}


def tell_to_leave(state: RankState) -> None:
    """Send SIGTERM to a rank that lives; its keeper kills it if it stays."""
    if state.pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(state.pid, signal.SIGTERM)


def clear_away(directory: Path, row: Row, rank: int) -> None:
    """Kill what a rank left behind whose keeper was killed."""
    keeper.kill_all(str(_state_file(directory, row, rank)))
