"""The process that leads a local fleet: it asks the policy, starts and ends jobs, and may be killed.

All that it knows is in the journal and in the ranks' state files, each written before what it tells of is
done. So whoever comes next finds every process again, starts exactly those that were not started yet, and
ends those that were to leave.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import stat
import sys
import time
from pathlib import Path

import msgspec

from hubbub.disk import describe_refusal, refusals
from hubbub.errors import HubbubError, InUse, StorageError
from hubbub.fleet.local import gpus, ranks
from hubbub.fleet.local.journal import Journal, Row
from hubbub.fleet.local.leading import look_once, put
from hubbub.fleet.local.settling import leave
from hubbub.fleet.policy import Policy

LOOK_S = 1.0
"""It looks so often when nobody wakes it."""
_SOON_S = 0.02
LINGER_S = 120.0
"""It ends when there was nothing to lead for so long; the next job brings it back."""


class Supervisor:
    """Leads the fleet of one directory, on whose lock it sits."""

    def __init__(self, directory: Path) -> None:
        """Take the lock.

        Raises:
            InUse: another leads it.
            InvalidInput: there is no fleet here.
            StorageError: the disk refused.
        """
        self.directory, self.journal = directory, Journal(directory)
        self.journal.read()
        self._lock = take_lock(directory)
        self._wake = _open_wake(directory / "wake")
        self._policy, self._idle_since_s = Policy(), time.monotonic()
        self._num_real = len(gpus.real_gpus())
        self._told: set[tuple[str, int, int]] = set()
        self._is_early = False
        """A rank was to be told that has not told its own number yet."""

    def run(self) -> None:
        """Lead until there is nothing more to lead."""
        while True:
            try:
                if self._is_over():
                    return
                self.step()
            except (StorageError, OSError) as error:  # what runs goes on, and it is tried again
                with contextlib.suppress(OSError):
                    os.write(2, f"{error}\n".encode())
            if select.select([self._wake], [], [], self._pause_s())[0]:
                os.read(self._wake, 4_096)

    def tell_pid(self, pid: int) -> None:
        """Write into the lock, for people, who sits on it."""
        os.pwrite(self._lock, f"{pid:<10}\n".encode(), 0)

    def _pause_s(self) -> float:
        """Return how long nothing is due."""
        due_s = [row.not_before_s - time.time() for row in self.journal.book.open_rows() if row.not_before_s]
        return min([_SOON_S if self._is_early else LOOK_S, *(each for each in due_s if each > 0)])

    def _is_over(self) -> bool:
        """Give the lock back where nothing is open; under the journal's, so that no new job is overlooked."""
        with self.journal.changing():
            book = self.journal.book
            if book.open_rows():
                self._idle_since_s = time.monotonic()
                return False
            if not book.is_stopped and time.monotonic() - self._idle_since_s < LINGER_S:
                return False
            os.close(self._wake)
            os.close(self._lock)
            return True

    def step(self) -> None:
        """Look once, decide, and do what has to be done.

        Raises:
            StorageError: the disk refused; what runs goes on.
        """
        _reap()
        now_s = time.time()
        with self.journal.changing() as change:
            look_once(self.journal.book, change, self._look, now_s, self._policy, num_real=self._num_real)
        self._is_early = False
        for row in change.rows:
            if row.phase == "ended":
                ranks.forget_task(self.directory, row.id)
        for row in self.journal.book.open_rows():
            if row.phase == "running":
                self._launch(row)
            elif row.phase == "leaving":
                self._tell(row)

    def _look(self, row: Row) -> list[ranks.RankState]:
        states = [ranks.look(self.directory, row, rank) for rank in range(len(row.shares))]
        for rank, state in enumerate(states):
            if state.phase == "lost":
                ranks.clear_away(self.directory, row, rank)
        return states

    def _launch(self, row: Row) -> None:
        """Start what was not started yet; where that is refused, the job waits a little."""
        try:
            for rank in range(len(row.shares)):
                ranks.launch(self.directory, row, rank, self.journal.book.grace_s)
        except OSError as error:
            why = describe_refusal("start", ranks.job_directory(self.directory, row.id), error)
            with self.journal.changing() as change:
                now = self.journal.book.rows[row.id]
                if now.phase == "running":
                    later_s = time.time() + 5.0
                    left = msgspec.structs.replace(leave(now, "preempted", why), not_before_s=later_s)
                    put(self.journal.book, change, left)

    def _tell(self, row: Row) -> None:
        """Tell each rank once, as soon as it can be told."""
        for rank in range(len(row.shares)):
            if (row.id, row.attempt, rank) not in self._told:
                state = ranks.look(self.directory, row, rank)
                ranks.tell_to_leave(state)
                if state.phase != "lives" or state.pid:
                    self._told.add((row.id, row.attempt, rank))
                else:
                    self._is_early = True


def _reap() -> None:
    """Let keepers go that have ended and were started by this process."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _open_wake(path: Path) -> int:
    with refusals("open", path):
        if not path.exists() or not stat.S_ISFIFO(path.stat().st_mode):
            path.unlink(missing_ok=True)
            os.mkfifo(path, 0o600)
        return os.open(path, os.O_RDWR | os.O_NONBLOCK)


def take_lock(directory: Path, timeout_s: float = 1.0) -> int:
    """Become the one that leads a directory's fleet; whoever only asks holds the lock for an instant.

    Raises:
        InUse: another leads it.
    """
    path = directory / "supervisor.lock"
    with refusals("open", path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    end_s = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            if time.monotonic() > end_s:
                os.close(fd)
                raise InUse(f"another supervisor leads the fleet of {str(directory)!r}") from None
            time.sleep(0.02)


def is_led(directory: Path) -> bool:
    """Tell whether a supervisor lives."""
    try:
        fd = os.open(directory / "supervisor.lock", os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def main() -> None:
    """Lead the fleet of DIR in the background; the command returns when that has begun."""
    try:
        supervisor = Supervisor(Path(sys.argv[1]))
    except HubbubError as error:
        raise SystemExit(f"hubbub: {error}") from None
    if pid := os.fork():
        supervisor.tell_pid(pid)
        os._exit(0)
    os.chdir("/")
    supervisor.run()


if __name__ == "__main__":
    main()
