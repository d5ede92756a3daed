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
import socket
import stat
import sys
import time
from pathlib import Path

import msgspec

from hubbub.disk import describe_refusal, refusals
from hubbub.errors import HubbubError, InUse, StorageError
from hubbub.fleet.actions import Action, Drain, Preempt, Release, Rent, Start
from hubbub.fleet.health import verdicts
from hubbub.fleet.local import gpus, ranks
from hubbub.fleet.local.deciding import actions_now
from hubbub.fleet.local.journal import Book, Change, Journal, Rented, Row
from hubbub.fleet.local.settling import leave, observations, settle
from hubbub.fleet.local.truth import name_of, spec_of
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
        os.pwrite(self._lock, f"{os.getpid():<10}\n".encode(), 0)
        while not self._is_over():
            try:
                self.step()
            except StorageError as error:
                sys.stderr.write(f"{error}\n")
                sys.stderr.flush()
            if select.select([self._wake], [], [], self._pause_s())[0]:
                os.read(self._wake, 4_096)

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
            book = self.journal.book
            for row in book.open_rows():
                if row.phase in ("running", "leaving"):
                    self._settle(book, change, row, now_s)
            _receive(book, change, now_s)
            for action in actions_now(book, now_s, self._policy):
                self._note(book, change, action, now_s)
        self._is_early = False
        for row in change.rows:
            if row.phase == "ended":
                ranks.forget_task(self.directory, row.id)
        for row in self.journal.book.open_rows():
            if row.phase == "running":
                self._launch(row)
            elif row.phase == "leaving":
                self._tell(row)

    def _settle(self, book: Book, change: Change, row: Row, now_s: float) -> None:
        states = [ranks.look(self.directory, row, rank) for rank in range(len(row.shares))]
        after = settle(row, states, now_s)
        if after is row:
            return
        for rank, state in enumerate(states):
            if state.phase == "lost":
                ranks.clear_away(self.directory, row, rank)
        _put(book, change, after)
        if after.phase != "leaving":
            change.seen += observations(row, states, now_s)
            self._judge(book, change, row, now_s)
            if row.pool in book.rented:
                idle = book.rented[row.pool].idle_since_s | {node: now_s for node, _ in row.shares}
                _rent(
                    book, change, row.pool, msgspec.structs.replace(book.rented[row.pool], idle_since_s=idle)
                )

    def _judge(self, book: Book, change: Change, row: Row, now_s: float) -> None:
        """Drain nodes by health's rules, where nodes are really different things."""
        num_nodes = sum(pool.num_nodes for pool in spec_of(book).pools)
        if not row.is_real or num_nodes < 2:
            return
        seen = [*book.seen, *change.seen]
        for told in verdicts(seen, num_nodes=num_nodes, now_s=now_s, num_drained=len(book.out)):
            if told.do == "drain" and told.node not in book.out:
                change.out = book.out = book.out | {told.node: f"drained: {told.reason}"}

    def _note(self, book: Book, change: Change, action: Action, now_s: float) -> None:
        """Write down what will be done."""
        if isinstance(action, Start):
            self._seat(book, change, action, now_s)
        elif isinstance(action, Preempt):
            _put(book, change, leave(book.rows[action.job], "preempted", action.reason))
        else:
            note(book, change, action, now_s)

    def _seat(self, book: Book, change: Change, action: Start, now_s: float) -> None:
        spec, row = spec_of(book), book.rows[action.job]
        pool = next(pool for pool in spec.pools if pool.name == action.pool)
        is_real = gpus.are_real(spec, self._num_real)
        seated = msgspec.structs.replace(
            row,
            phase="running",
            attempt=row.attempt + 1,
            pool=action.pool,
            shares=action.shares,
            gpu_numbers=gpus.numbers_for(spec, pool, action.shares, book.open_rows(), is_real=is_real),
            is_real=is_real,
            port=_free_port() if len(action.shares) > 1 else 0,
            started_s=now_s,
            is_by_right=action.is_by_right,
            reason=action.reason,
            not_before_s=0.0,
            waited_s=row.waited_s + max(now_s - row.waiting_since_s, 0.0),
        )
        _put(book, change, seated)

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
                    _put(self.journal.book, change, left)

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


def note(book: Book, change: Change, action: Action, now_s: float) -> None:
    """Write down what is done by writing it down: nodes that are rented, given back, drained."""
    if isinstance(action, Rent):
        pool = next(pool for pool in spec_of(book).pools if pool.name == action.pool)
        rented = book.rented.get(action.pool, Rented())
        due_s = (*rented.due_s, *[now_s + pool.lead_s] * action.num_nodes)
        _rent(book, change, action.pool, msgspec.structs.replace(rented, due_s=due_s))
    elif isinstance(action, Release):
        rented = book.rented[action.pool]
        here = {node: at_s for node, at_s in rented.idle_since_s.items() if node not in action.nodes}
        _rent(book, change, action.pool, msgspec.structs.replace(rented, idle_since_s=here))
    elif isinstance(action, Drain):
        name = name_of(action.pool, action.node)
        change.out = book.out = book.out | {name: f"drained: {action.reason}"}


def _receive(book: Book, change: Change, now_s: float) -> None:
    """Let in the rented nodes that have come, each with the lowest number that is free."""
    for pool, rented in list(book.rented.items()):
        come = sum(due_s <= now_s for due_s in rented.due_s)
        if come:
            here = dict(rented.idle_since_s)
            for _ in range(come):
                here[next(node for node in range(len(here) + 1) if node not in here)] = now_s
            left = tuple(due_s for due_s in rented.due_s if due_s > now_s)
            _rent(book, change, pool, Rented(due_s=left, idle_since_s=here))


def _rent(book: Book, change: Change, pool: str, rented: Rented) -> None:
    change.rented = book.rented = book.rented | {pool: rented}


def _put(book: Book, change: Change, row: Row) -> None:
    book.rows[row.id] = row
    change.rows.append(row)


def _reap() -> None:
    """Let keepers go that have ended and were started by this process."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
    with refusals("open", directory):
        fd = os.open(directory / "supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600)
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
    if os.fork():
        os._exit(0)
    supervisor.run()


if __name__ == "__main__":
    main()
