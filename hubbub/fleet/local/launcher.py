"""A local fleet as its users see it: through the journal, jobs are handed in, looked at, ended."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

import hubbub
from hubbub.disk import refusals
from hubbub.errors import InUse, InvalidInput, StorageError
from hubbub.fleet.actions import Action, Drain, Lend, Preempt, Release, Rent, Restore, TakeBack
from hubbub.fleet.health import Observation
from hubbub.fleet.launcher import (
    Edit,
    Launcher,
    Truth,
    Wish,
    changed,
    check_same_pools,
    check_wish,
    dated,
    pretend_fleet,
)
from hubbub.fleet.local import gpus, ranks
from hubbub.fleet.local.journal import Book, Change, Journal, create, row_of
from hubbub.fleet.local.leading import note
from hubbub.fleet.local.settling import cancelled, leave
from hubbub.fleet.local.supervisor import is_led
from hubbub.fleet.local.truth import name_of, spec_of, truth_of
from hubbub.fleet.spec import FleetSpec


class Local(Launcher):
    """The fleet of a directory of this machine."""

    def __init__(self, directory: Path) -> None:
        self.url, self.directory = f"local:{directory}", directory.resolve()
        self._journal = Journal(self.directory)
        self.spec = spec_of(self._journal.read())

    def look(self) -> Truth:
        """Read this moment; nothing changes."""
        book = self._journal.read()
        self.spec, truth = spec_of(book), truth_of(book, time.time())
        notes = []
        if book.next_id == 1:
            is_real = gpus.are_real(spec_of(book), len(gpus.real_gpus()))
            kind = "this machine's" if is_real else "pretend ones: jobs share this machine"
            notes.append(f"{self.url}: {spec_of(book).num_gpus} GPUs, {kind}")
        if truth.state.claims and not is_led(self.directory):
            notes.append(
                f"nobody leads {self.url}, jobs neither start nor leave: hubbub fleet up --on {self.url}"
            )
        truth.notes = tuple(notes)
        return truth

    def hand_in(self, wish: Wish) -> str:
        """Let a command wait for its GPUs, and return the job's number."""
        self.spec = spec_of(self._journal.read())
        check_wish(self.spec, wish)
        task = ranks.task_of(wish.command, wish.directory)
        now_s = time.time()
        with self._journal.changing() as change:
            job = str(self._journal.book.next_id)
            with refusals("keep a job in", self.directory):
                ranks.write_task(self.directory, job, task)
            change.is_stopped = False
            change.rows.append(row_of(wish, job, now_s))
        self._wake()
        return job

    def cancel(self, job: str) -> None:
        """End a job: what runs is told by SIGTERM, and killed after the grace.

        Raises:
            InvalidInput: it neither waits nor runs.
        """
        with self._journal.changing() as change:
            row = self._journal.book.rows.get(job)
            if row is None or row.phase == "ended":
                raise InvalidInput(f"job {job!r} neither waits nor runs")
            change.rows.append(after := cancelled(row, time.time()))
        if after.phase == "ended":
            ranks.forget_task(self.directory, job)
        self._wake()

    def carry_out(self, action: Action) -> None:
        """Do what was decided elsewhere; starts are the supervisor's own.

        Raises:
            InvalidInput: a local fleet cannot do this.
        """
        if isinstance(action, Lend | TakeBack):
            return
        with self._journal.changing() as change:
            book = self._journal.book
            if isinstance(action, Preempt):
                row = book.rows.get(action.job)
                if row is None or row.phase != "running":
                    raise InvalidInput(f"job {action.job!r} does not run")
                change.rows.append(leave(row, "preempted", action.reason))
            elif isinstance(action, Restore):
                _restore(book, change, name_of(action.pool, action.node))
            elif isinstance(action, Rent | Release | Drain):
                note(book, change, action, time.time())
            else:
                raise InvalidInput(
                    f"{type(action).__name__} is nothing that can be done on {self.url} by hand"
                )
        self._wake()

    def change(self, to: FleetSpec | Edit) -> None:
        """Take another fleet's tenants, caps and grid events over, or edit these; the pools stay."""
        with self._journal.changing() as change:
            change.fleet = changed(self.url, spec_of(self._journal.book), to)
        self.spec = spec_of(self._journal.book)
        self._wake()

    def output_of(self, job: str) -> Path:
        """Return where a job's output is written."""
        return ranks.output_of(self.directory, job)

    def stop(self) -> None:
        """Cancel all jobs, and return when the last process and the supervisor are gone."""
        with self._journal.changing() as change:
            change.is_stopped = True
            change.rows += [cancelled(row, time.time()) for row in self._journal.book.open_rows()]
        if is_led(self.directory) or any(row.phase == "leaving" for row in change.rows):
            self._wake()
        end_s = time.monotonic() + self._journal.book.grace_s + 10.0
        while is_led(self.directory) and self._journal.read().is_stopped:
            if time.monotonic() > end_s:
                raise StorageError(f"{self.url} did not stop: {_last_words(self.directory)}")
            time.sleep(0.02)

    def _wake(self) -> None:
        """Let the supervisor look at once; start one where none lives."""
        with contextlib.suppress(OSError):
            fd = os.open(self.directory / "wake", os.O_WRONLY | os.O_NONBLOCK)
            os.write(fd, b".")
            os.close(fd)
        if not is_led(self.directory):
            lead(self.directory)


def _restore(book: Book, change: Change, node: str) -> None:
    if node not in book.out:
        raise InvalidInput(f"node {node} is not out of order")
    change.out = {name: why for name, why in book.out.items() if name != node}
    change.seen.append(Observation(at_s=time.time(), node=node, kind="mended"))


def open_local(directory: Path, *, make: bool = False) -> Local:
    """Find the fleet of a directory; `make` makes the usual one where there is none.

    Raises:
        InvalidInput: there is none, or the directory holds other things.
    """
    if make:
        _describe(create(directory), None)
    return Local(directory)


def start_local(directory: Path, spec: FleetSpec | None, grace_s: float | None = None) -> Local:
    """Lead a directory's fleet: a new one, or what was left of it.

    Raises:
        InUse: it is led already.
        InvalidInput: jobs of it are open, and it is to have other pools.
    """
    journal = create(directory)
    if is_led(directory):
        raise InUse(
            f"the fleet of {str(directory)!r} is led already; change it: hubbub fleet apply FLEET.toml "
            f"--to local:{directory}, or end it first: hubbub fleet down --on local:{directory}"
        )
    _describe(journal, spec, grace_s)
    lead(directory.resolve())
    return Local(directory)


def _describe(journal: Journal, spec: FleetSpec | None, grace_s: float | None = None) -> None:
    """Write a fleet's description down, where it has none or shall have another."""
    with journal.changing() as change:
        now = journal.book.fleet
        if spec is None and now is None:
            names = gpus.real_gpus()
            spec = gpus.real_fleet(names) if names else pretend_fleet()
        if spec is None:
            return
        if now is not None and journal.book.open_rows():
            check_same_pools(f"local:{journal.directory}", now, spec)
        else:
            change.out, change.rented = {}, {}
        change.fleet, change.is_stopped, change.grace_s = dated(spec), False, grace_s


def lead(directory: Path) -> None:
    """Start a supervisor, and return when it leads.

    Raises:
        StorageError: it did not come up; its last words are given.
    """
    root = str(Path(hubbub.__file__).parents[1])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    log = directory / "supervisor.log"
    with refusals("write", log):
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-m", "hubbub.fleet.local.supervisor", str(directory)],
            {**os.environ, "PYTHONPATH": path},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
    _, status = os.waitpid(pid, 0)
    if status and not is_led(directory):
        raise StorageError(f"the supervisor of {str(directory)!r} did not come up: {_last_words(directory)}")


def _last_words(directory: Path) -> str:
    try:
        lines = (directory / "supervisor.log").read_text(errors="replace").splitlines()
    except OSError as error:
        return str(error)
    return " ".join(lines[-2:])[:500] or f"see {directory / 'supervisor.log'}"
