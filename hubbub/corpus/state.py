"""The 16 bytes that every process with a corpus open shares, and the locks of those who change it.

`state.bin` is mapped, never replaced: generation (u64, which manifest is the current one) and deletion mark
(48 bits of the archive's sequence number up to which deletions are in, and 16 that check them). Both are
single stores of eight bytes.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hubbub.disk import refusals
from hubbub.errors import Corruption, InUse

NAME = "state.bin"
_SIZE = 16
_MARK = (1 << 48) - 1
_PAUSE_S = 0.005
WAIT_S = 60.0
"""Compaction holds the lock for a shard at a time, seconds at the most."""


class State:
    """Generation and mark, as all processes see them at this moment."""

    def __init__(self, directory: Path, *, is_writer: bool = False) -> None:
        """Map the file; only a writer makes a missing one."""
        path = directory / NAME
        if not is_writer and not path.exists():
            raise Corruption(
                f"{path} is gone; make it again: hubbub corpus follow ARCHIVE {directory} --once"
            )
        with refusals("open", path):
            fd = os.open(path, (os.O_RDWR | os.O_CREAT if is_writer else os.O_RDONLY) | os.O_CLOEXEC, 0o644)
            try:
                if is_writer and os.fstat(fd).st_size < _SIZE:
                    os.posix_fallocate(fd, 0, _SIZE)
                access = mmap.ACCESS_WRITE if is_writer else mmap.ACCESS_READ
                self._map = mmap.mmap(fd, _SIZE, access=access)
            finally:
                os.close(fd)
        self.words = memoryview(self._map).cast("Q")
        """[generation, mark and check]; indexing them is the cheapest look there is."""

    @property
    def generation(self) -> int:
        """Which manifest is the current one."""
        return self.words[0]

    @property
    def mark(self) -> int:
        """Sequence number up to which deletions are in; 0 when damaged, so that all are noted again."""
        word = self.words[1]
        return word & _MARK if word == _checked(word & _MARK) else 0

    def set_generation(self, generation: int) -> None:
        """Send every reader to the new files at its next read."""
        self.words[0] = generation
        self._map.flush()

    def set_mark(self, mark: int) -> None:
        """Remember how far deletions are in; they have been synced before."""
        self.words[1] = _checked(mark)
        self._map.flush()


def _checked(mark: int) -> int:
    return mark | (zlib.crc32(mark.to_bytes(6)) & 0xFFFF) << 48


@contextmanager
def locked(directory: Path, name: str, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold `NAME.lock` of a directory; the kernel releases it when the process dies.

    Raises:
        InUse: another holds it for longer than `wait_s`; the message names its process.
        StorageError: the directory cannot be written.
    """
    path = directory / f"{name}.lock"
    with refusals("open the lock", path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(fd, path, time.monotonic() + wait_s)
        yield
    finally:
        os.close(fd)


def _take(fd: int, path: Path, deadline_s: float) -> None:
    kind = fcntl.LOCK_EX if deadline_s == math.inf else fcntl.LOCK_EX | fcntl.LOCK_NB
    while True:
        try:
            fcntl.flock(fd, kind)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline_s:
                owner = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
                raise InUse(
                    f"corpus {str(path.parent)!r} is being written by process {owner} ({path.name}); "
                    "wait for it or stop it, or name another directory"
                ) from None
            time.sleep(_PAUSE_S)
    with refusals("write the lock", path):
        os.pwrite(fd, f"{os.getpid()}\n".ljust(20).encode(), 0)
