"""The daemons of a pretend cluster: started, found again, stopped; what a killed start left is swept up.

Nothing is kept about them: a daemon is ours when its environment names our slurm.conf. So what a killed
`hubbub fleet up` left is found as surely as what a finished one did.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from hubbub.errors import InUse, InvalidInput

DAEMONS = ("slurmctld", "slurmd", "slurmstepd", "slurmdbd", "mariadbd", "mysqld")
READY = "ready"
"""Lies in a cluster's directory from when its nodes are up."""
_SPOOL = Path("/tmp/hubbub-slurm-")
"""Not $TMPDIR, which may be long: Slurm makes sockets there, whose paths have 107 bytes at most (unix(7))."""
_LONGEST = 28
"""A step's socket is SPOOL/NODE/NODE_JOB.STEP; a spool's name has 26 letters, the two numbers up to 10."""
_OWNER = "owner"
"""In each spool: the cluster's directory, and who made it."""


def environment(directory: Path) -> dict[str, str]:
    """Return the environment in which Slurm's programs see the cluster of a directory."""
    return {**os.environ, "SLURM_CONF": str(directory / "slurm.conf")}


def spawn(directory: Path, *command: str, named: Mapping[str, str] = MappingProxyType({})) -> int:
    """Start a daemon in a session of its own, so that it outlives the command that started it."""
    log = str(directory / "log" / "daemons.log")
    return os.posix_spawnp(
        command[0],
        command,
        {**environment(directory), **named},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def running(directory: Path, *names: str) -> list[int]:
    """Return the processes of our daemons (or of those named so) that live."""
    conf = f"SLURM_CONF={directory.resolve() / 'slurm.conf'}".encode()
    return [pid for pid, name, told in _daemons() if name in (names or DAEMONS) and conf in told]


def _daemons() -> Iterator[tuple[int, str, list[bytes]]]:
    """Yield (process, name, environment) of every daemon that this user may look at."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            name = Path(entry.path, "comm").read_text().strip()
            if name in DAEMONS:
                yield int(entry.name), name, Path(entry.path, "environ").read_bytes().split(b"\0")


def end(directory: Path) -> None:
    """End every daemon of a cluster and what its jobs left, at last by force, and remove its spool.

    What never came up is killed at once: it has nothing to save, and may not listen yet.
    """
    is_up = (directory / READY).exists()
    for kind in (signal.SIGTERM, signal.SIGKILL) if is_up else (signal.SIGKILL,):
        tell_jobs(directory, kind)
        for pid in running(directory):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, kind)
        if until(lambda: not running(directory), 5):
            break
    (directory / READY).unlink(missing_ok=True)
    link = directory / "spool"
    if link.is_symlink():
        _remove(link.resolve())
        link.unlink()


def _remove(path: Path) -> None:
    """Remove a directory, into which a dying daemon's threads may still write for a moment."""

    def is_gone() -> bool:
        shutil.rmtree(path, ignore_errors=True)
        return not path.exists()

    until(is_gone, 2)


def tell_jobs(directory: Path, kind: signal.Signals) -> None:
    """Send a signal to the processes of all jobs."""
    _tell(_groups_of(running(directory, "slurmstepd")), kind)


def _groups_of(steps: Iterable[int]) -> set[int]:
    """Return the process groups of jobs: their steps' daemons would leave them behind."""
    found = set()
    for step in steps:
        with contextlib.suppress(OSError):
            for pid in Path(f"/proc/{step}/task/{step}/children").read_text().split():
                found.add(os.getpgid(int(pid)))
    return found


def _tell(groups: Iterable[int], kind: signal.Signals) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, kind)


def nodes(directory: Path) -> set[str]:
    """Return the nodes whose daemon lives."""
    told = (Path(f"/proc/{pid}/cmdline").read_text().split("\0") for pid in running(directory, "slurmd"))
    return {words[words.index("-N") + 1] for words in told if "-N" in words}


def cut_power(directory: Path, node: str, jobs: Iterable[str]) -> None:
    """Kill a node's daemon and the jobs that run on it, all at once, as when its power fails."""
    told = {
        pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in running(directory, "slurmd", "slurmstepd")
    }
    steps = [pid for pid, words in told.items() if any(f"[{job}.".encode() in words for job in jobs)]
    groups = _groups_of(steps)
    for pid in [*steps, *(pid for pid, words in told.items() if node.encode() in words.split(b"\0"))]:
        os.kill(pid, signal.SIGKILL)
    _tell(groups, signal.SIGKILL)  # at last: nobody is left to say that the job ended


def make_spool(directory: Path, nodes: Iterable[str]) -> Path:
    """Make a directory with a short path for nodes of these names.

    Raises:
        InvalidInput: a node's name is too long; no job could start on it.
    """
    for node in nodes:
        if len(node) > _LONGEST:
            raise InvalidInput(
                f"node {node!r} has more than {_LONGEST} letters; give its pool a shorter name"
            )
    spool = Path(tempfile.mkdtemp(prefix=_SPOOL.name, dir=_SPOOL.parent))
    (spool / _OWNER).write_text(f"{os.getpid()}\n{directory}")
    (directory / "spool").symlink_to(spool)
    return spool


def sweep() -> list[Path]:
    """End and remove what is left of clusters whose directory is gone, or that never came up; return whose.

    Not of those whose controller died: their jobs still run.
    """
    swept = []
    for owner in _SPOOL.parent.glob(f"{_SPOOL.name}*/{_OWNER}"):
        try:
            if owner.stat().st_uid != os.getuid():  # another user may write any directory there
                continue
            maker, _, where = owner.read_text().partition("\n")
        except OSError:
            continue
        directory = Path(where)
        is_current = (directory / "spool").resolve() == owner.parent.resolve()
        if Path("/proc", maker).exists() or (is_current and (directory / READY).exists()):
            continue
        if is_current or not (directory / "spool").is_symlink():
            end(directory)
        _remove(owner.parent)
        swept.append(directory)
    return swept


def free_ports(count: int) -> int:
    """Return the first of so many ports in a row that nobody listens on, below those that systems lend.

    Raises:
        InUse: there are none.
    """
    for first in range(17_100 + os.getpid() % 1_000 * 10, 32_000, count):
        try:
            with contextlib.ExitStack() as held:
                for port in range(first, first + count):
                    bound = held.enter_context(socket.socket())
                    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    bound.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise InUse(f"no {count} free ports in a row below 32,000 on 127.0.0.1; stop another cluster")


def until(holds: Callable[[], bool], timeout_s: float, every_s: float = 0.05) -> bool:
    """Wait until something holds; tell whether it does."""
    end_s = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > end_s:
            return False
        time.sleep(every_s)
    return True


def last_words(directory: Path) -> str:
    """Return the last errors in a cluster's logs."""
    logs = sorted((directory / "log").glob("*.log"), key=lambda log: log.stat().st_mtime)
    lines = [line for log in logs for line in log.read_text(errors="replace").splitlines() if "error" in line]
    return "; ".join(lines[-3:]) or f"see {directory / 'log'}"
