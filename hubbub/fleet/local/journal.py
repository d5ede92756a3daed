"""What a local fleet knows, on disk: a file of changes that any process of it may read and add to.

Each line is one change, whole or not there: it is written under a lock, synced, and taken back where the
disk refuses. Whoever writes has first read all that others wrote, so no change is lost. A line that a power
cut tore is the last one, and is cut off by the next who writes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from hubbub.disk import describe_refusal, read_at, refusals, replace_durably, sync_directory, write_all
from hubbub.errors import Corruption, InvalidInput, StorageError, VersionMismatch
from hubbub.fleet.health import Observation
from hubbub.fleet.launcher import Wish
from hubbub.fleet.placement import Share
from hubbub.fleet.spec import FleetSpec
from hubbub.fleet.turns import its_turn

NAME = "fleet.journal"
OURS = (NAME, "jobs", "lock", "supervisor.lock", "supervisor.log", "wake")
_HEAD = b'{"format":"hubbub-local-fleet","version":1}\n'
GRACE_S = 30.0
"""From SIGTERM to SIGKILL, as Kubernetes has it."""
MAX_PAUSE_S = 60.0
"""What was lost is tried again after so long at the latest."""
_COMPACT_BYTES = 4 << 20
_NUM_KEPT = 1_000

Phase: TypeAlias = Literal["waiting", "running", "leaving", "ended"]
Leave: TypeAlias = Literal["", "preempted", "cancelled", "failed"]


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job as it stands; times are seconds since 1970."""

    id: str
    tenant: str
    gpus: int
    name: str
    submitted_s: float
    expected_s: float | None = None
    min_gpus: int = 0
    """Elastic: content with so many."""
    phase: Phase = "waiting"
    waiting_since_s: float = 0.0
    token: str = ""
    """Of the hand-in: who asks twice, not knowing whether it was heard, gets the same job."""
    not_before_s: float = 0.0
    """After a failure it waits a little."""
    reason: str = ""
    """Why it waits again or leaves; once it has ended, how."""
    attempt: int = 0
    pool: str = ""
    shares: tuple[Share, ...] = ()
    gpu_numbers: tuple[tuple[int, ...], ...] = ()
    """On each node of its shares."""
    is_real: bool = False
    """Its GPUs are this machine's; else pretend ones."""
    port: int = 0
    started_s: float = 0.0
    is_by_right: bool = False
    leave: Leave = ""
    waited_s: float = 0.0
    done_s: float = 0.0
    lost_s: float = 0.0
    num_preempted: int = 0
    num_failures: int = 0
    """By its own fault: a rank left with a code that is not 0."""
    num_lost: int = 0
    """A rank was lost with its node or its keeper."""
    ended_s: float = 0.0

    def is_held(self, now_s: float) -> bool:
        """Tell whether a pause after a failure lasts; a clock that was set back makes none longer."""
        return 0 < self.not_before_s - now_s <= MAX_PAUSE_S


def row_of(wish: Wish, job: str, now_s: float) -> Row:
    """Return a new job as it waits."""
    return Row(
        id=job, tenant=wish.tenant, gpus=wish.gpus, name=wish.name, submitted_s=now_s, waiting_since_s=now_s,
        expected_s=wish.expected_s, min_gpus=wish.min_gpus,
    )  # fmt: skip


class Rented(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a rented pool's nodes."""

    due_s: tuple[float, ...] = ()
    """When nodes that were ordered come, one entry a node."""
    idle_since_s: dict[int, float] = {}
    """Nodes that are here, and since when nothing runs on them."""


class Change(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line of the journal; what is None stays as it was."""

    rows: list[Row] = []
    fleet: FleetSpec | None = None
    out: dict[str, str] | None = None
    """POOL-NUMBER -> why it is out of order."""
    rented: dict[str, Rented] | None = None
    seen: list[Observation] = []
    """What health is judged by."""
    is_stopped: bool | None = None
    grace_s: float | None = None
    next_id: int | None = None


class Book:
    """All changes taken together."""

    def __init__(self) -> None:
        self.fleet: FleetSpec | None = None
        self.rows: dict[str, Row] = {}
        self.out: dict[str, str] = {}
        self.rented: dict[str, Rented] = {}
        self.seen: list[Observation] = []
        self.is_stopped = False
        self.grace_s = GRACE_S
        self.next_id = 1

    def take_in(self, change: Change) -> None:
        """Let a change hold."""
        for row in change.rows:
            self.rows[row.id] = row
            self.next_id = max(self.next_id, int(row.id) + 1)
        self.seen += change.seen
        for field in ("fleet", "out", "rented", "is_stopped", "grace_s", "next_id"):
            if (value := getattr(change, field)) is not None:
                setattr(self, field, value)

    def open_rows(self) -> list[Row]:
        """Return the jobs that have not ended, in order of submission."""
        return [row for row in self.rows.values() if row.phase != "ended"]

    def whole(self) -> Change:
        """Return the change that makes an empty book this one; of ended jobs only the last are kept."""
        ended = [row.id for row in self.rows.values() if row.phase == "ended"]
        for job in ended[:-_NUM_KEPT]:
            del self.rows[job]
        return Change(
            rows=list(self.rows.values()),
            fleet=self.fleet,
            out=self.out,
            rented=self.rented,
            seen=self.seen[-_NUM_KEPT:],
            is_stopped=self.is_stopped,
            grace_s=self.grace_s,
            next_id=self.next_id,
        )


class Journal:
    """The journal of one directory; `book` is what was read or written last."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.path = directory, directory / NAME
        self.book = Book()
        self._fd = -1
        self._position = 0

    def read(self) -> Book:
        """Take in what others wrote.

        Raises:
            InvalidInput: there is no journal here.
            Corruption: a line before the last cannot be read.
            VersionMismatch: a newer hubbub wrote it.
        """
        if self._fd < 0 or not self._is_current():
            self._open()
        data = read_at(self._fd, os.fstat(self._fd).st_size - self._position, self._position)
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.split(b"\n")[:-1]:
            self.book.take_in(self._decode(line))
            self._position += len(line) + 1
        return self.book

    def _is_current(self) -> bool:
        """Tell whether the file that is open is still the one of that name: it may have been compacted."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return False
        opened = os.fstat(self._fd)
        is_same = (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino)
        return is_same and found.st_size >= self._position

    def _open(self) -> None:
        self.close()
        try:
            self._fd = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            raise InvalidInput(
                f"there is no fleet in {str(self.directory)!r} yet; the first job makes one: hubbub fleet "
                f"submit --on local:{self.directory} --tenant xai --gpus 8 -- COMMAND"
            ) from None
        except OSError as error:
            raise StorageError(describe_refusal("open", self.path, error)) from error
        self.book, self._position = Book(), len(_HEAD)
        head = read_at(self._fd, len(_HEAD), 0)
        if head != _HEAD:
            self.close()
            if head.startswith(_HEAD[:30]):
                raise VersionMismatch(f"{str(self.path)!r} was written by a newer hubbub; update this one")
            raise Corruption(f"{str(self.path)!r} is not a fleet's journal; choose another directory")

    def _decode(self, line: bytes) -> Change:
        try:
            return msgspec.json.decode(line, type=Change)
        except msgspec.DecodeError as error:
            raise Corruption(
                f"{str(self.path)!r}, byte {self._position}: {error}; nothing was changed. Cut the file "
                "there to go on with what was known before"
            ) from error

    @contextlib.contextmanager
    def changing(self) -> Iterator[Change]:
        """Hold the lock, and write what the block puts into the change when it ends well.

        Raises:
            StorageError: the disk refused; nothing was half-written.
        """
        with its_turn(self.directory / "lock"):
            self.read()
            change = Change()
            try:
                yield change
                if change != Change():
                    self._append(msgspec.json.encode(change) + b"\n")
                    self.book.take_in(change)
            except BaseException:
                self.close()
                raise
            if self._position > _COMPACT_BYTES:
                self._compact()

    def _append(self, line: bytes) -> None:
        with refusals("write", self.path):
            os.ftruncate(self._fd, self._position)
            os.lseek(self._fd, self._position, os.SEEK_SET)
            try:
                write_all(self._fd, line)
                os.fsync(self._fd)
            except OSError:
                os.ftruncate(self._fd, self._position)
                raise
        self._position += len(line)

    def _compact(self) -> None:
        """Write only what holds now, under another name first; a full disk leaves the long file as it was."""
        line = msgspec.json.encode(self.book.whole()) + b"\n"
        if len(line) > _COMPACT_BYTES // 2:
            return
        temporary = self.path.with_suffix(".new")
        with contextlib.suppress(OSError):
            write_durably(temporary, _HEAD + line)
            replace_durably(temporary, self.path)

    def close(self) -> None:
        """Let the file go; the next `read` starts anew."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def create(directory: Path) -> Journal:
    """Open the journal of a directory, which is made where it is missing.

    Raises:
        InvalidInput: the directory holds other things.
        StorageError: it cannot be made.
    """
    journal = Journal(directory)
    with refusals("make", directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not journal.path.exists():
            if foreign := [name for name in sorted(os.listdir(directory)) if name not in OURS]:
                raise InvalidInput(
                    f"{str(directory)!r} holds other files ({foreign[0]}) and no fleet; choose another"
                )
            (directory / "jobs").mkdir(mode=0o700, exist_ok=True)
            write_durably(directory / f"{NAME}.{os.getpid()}", _HEAD)
            with contextlib.suppress(FileExistsError):
                os.link(directory / f"{NAME}.{os.getpid()}", journal.path)
            os.unlink(directory / f"{NAME}.{os.getpid()}")
            sync_directory(directory)
    return journal


def write_durably(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, wholly, or leave none; raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(fd, data)
        os.fsync(fd)
    except OSError:
        os.unlink(path)
        raise
    finally:
        os.close(fd)
