"""Runs one command as one rank of a job, and writes down how it ended; stdlib only, as a process of its own.

Its standard input is the rank's state file, on which the supervisor holds a lock for it: the lock goes when
this process does, whatever ends it. Slot 0 of the file tells the process, slot 1 how the command ended.
SIGTERM is passed on once; who has not left after the grace is killed, with all that the command started.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time

SLOT_BYTES = 512
TOKEN = "HUBBUB_FLEET_RANK"
"""In the environment of a rank and of all that it starts."""
PARENT = "HUBBUB_KEEPER_PARENT"
"""In its environment where it is to leave with the process that started it."""
NOT_FOUND = 127
"""Exit code where the command could not be started at all, as sh(1) has it."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


def main() -> None:
    """Run `keeper.py GRACE_S WAKE DIRECTORY COMMAND...`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    grace_s, wake, directory, *command = sys.argv[1:]
    if parent := os.environ.pop(PARENT, ""):
        _leave_with(int(parent))
    _note(0, {"pid": os.getpid()})
    try:
        os.chdir(directory)
        pid = os.posix_spawnp(
            command[0],
            command,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
            setpgroup=0,
            setsigmask=(),
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
        )
    except OSError as error:
        told = {"code": NOT_FOUND, "was_told": False, "why": f"{error.strerror}: {error.filename}"[:300]}
    else:
        told = _wait(pid, float(grace_s))
        kill_all(os.environ[TOKEN])
    _note(1, told)
    with contextlib.suppress(OSError):
        os.write(os.open(wake, os.O_WRONLY | os.O_NONBLOCK), b".")


def _leave_with(parent: int) -> None:
    """Get SIGTERM when the parent dies: prctl(2), PR_SET_PDEATHSIG."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def _wait(pid: int, grace_s: float) -> dict[str, object]:
    deadline_s = float("inf")
    was_told = False
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return {"code": os.waitstatus_to_exitcode(status), "was_told": was_told, "why": ""}
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            _tell(pid, signal.SIGKILL)
            left_s = 1.0
        found = signal.sigtimedwait(_SIGNALS, min(left_s, 3_600.0))
        if found is not None and found.si_signo != signal.SIGCHLD and not was_told:
            was_told, deadline_s = True, time.monotonic() + grace_s
            _tell(pid, signal.SIGTERM)


def _tell(pid: int, kind: signal.Signals) -> None:
    """Send a signal to a command's group, or to itself where it has left that; nobody has reaped it yet."""
    try:
        os.killpg(pid, kind)
    except ProcessLookupError:
        os.kill(pid, kind)


def _note(slot: int, told: dict[str, object]) -> None:
    """Fill a slot of the state file, whose blocks are there already: a full disk cannot refuse it."""
    os.pwrite(0, json.dumps(told).encode()[: SLOT_BYTES - 1].ljust(SLOT_BYTES - 1) + b"\n", slot * SLOT_BYTES)
    with contextlib.suppress(OSError):
        os.fsync(0)


def kill_all(token: str) -> None:
    """Kill every process that has a rank's token in its environment, but for this one."""
    wanted = f"{TOKEN}={token}".encode()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/environ", "rb") as file:
                    if wanted in file.read().split(b"\0"):
                        os.kill(int(name), signal.SIGKILL)


if __name__ == "__main__":
    main()
