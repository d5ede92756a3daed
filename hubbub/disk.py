"""The few disk operations of what we keep, with the operating system's refusals turned into StorageError."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hubbub.errors import StorageError

_NO_ROOM = "free some space and try again; nothing was half-written"
_ADVICE = {
    errno.ENOSPC: f"the disk is full: {_NO_ROOM}",
    errno.EDQUOT: f"the disk quota is used up: {_NO_ROOM}",
    errno.EFBIG: "the file size limit (ulimit -f) is reached: raise it; nothing was half-written",
    errno.EROFS: "the file system is read-only: choose another directory",
    errno.EACCES: "permission denied: give this user the directory, or choose another",
    errno.EPERM: "permission denied: give this user the directory, or choose another",
    errno.ENOENT: "it does not exist: look at the name",
    errno.EISDIR: "it is a directory: name a file in it",
    errno.ENOTDIR: "a part of the path is a file: choose another directory",
    errno.EMFILE: "too many open files (ulimit -n): close some readers",
}


@contextmanager
def refusals(doing: str, path: Path) -> Iterator[None]:
    """Turn an OSError of the block into a StorageError that says what was tried, where and what to do."""
    try:
        yield
    except OSError as error:
        raise StorageError(describe_refusal(doing, path, error)) from error


def describe_refusal(doing: str, path: Path, error: OSError) -> str:
    """Say what the disk refused and what to do now."""
    advice = _ADVICE.get(error.errno or 0, f"{error.strerror or error}: check the disk")
    return f"could not {doing} {str(path)!r}: {advice}"


def write_all(fd: int, data: bytes) -> None:
    """Write every byte at the file's position, however the kernel splits it."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_directory(directory: Path) -> None:
    """Make renames and new names in a directory survive power loss."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace_durably(temporary: Path, path: Path) -> None:
    """Rename over, then sync the directory; the caller has synced the file."""
    os.replace(temporary, path)
    sync_directory(path.parent)


def read_at(fd: int, num_bytes: int, offset: int) -> bytes:
    """Read up to `num_bytes` at an offset, fewer only at the end of the file."""
    data = os.pread(fd, num_bytes, offset)
    if len(data) == num_bytes or not data:
        return data
    parts = [data]
    got = len(data)
    while got < num_bytes and (more := os.pread(fd, num_bytes - got, offset + got)):
        parts.append(more)
        got += len(more)
    return b"".join(parts)
