"""The lock that makes one process the writer of a directory, and remembers in which boot it wrote."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from hubbub.disk import refusals
from hubbub.errors import InUse

LOCK_NAME = "writer.lock"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class WriterLock:
    """Held from construction until `release`; the kernel releases it when the process dies."""

    def __init__(self, directory: Path) -> None:
        """Take the lock.

        Raises:
            InUse: another writer holds it; the message names its process.
            StorageError: the directory cannot be written.
        """
        path = directory / LOCK_NAME
        self.was_same_boot = is_same_boot(directory)
        with refusals("open the lock", path):
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._take(directory, path)
        except BaseException:
            os.close(self._fd)
            raise

    def _take(self, directory: Path, path: Path) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _read(directory)[0] or "unknown"
            raise InUse(
                f"archive {str(directory)!r} is being written by process {owner}; "
                "stop it first, or open the archive for reading"
            ) from None
        with refusals("write the lock", path):
            text = f"{os.getpid()}\n{_boot_id()}\n".encode()
            os.pwrite(self._fd, text, 0)
            os.ftruncate(self._fd, len(text))
            os.fsync(self._fd)  # after power loss, a lock without its boot would turn a torn tail into damage

    def release(self) -> None:
        """Let another writer in."""
        os.close(self._fd)


def is_same_boot(directory: Path) -> bool:
    """Whether the last writer ran in this very boot, so that no power loss can lie in between."""
    boot = _read(directory)[1]
    return not boot or boot == _boot_id()


def _read(directory: Path) -> tuple[str, str]:
    try:
        lines = (directory / LOCK_NAME).read_text("ascii", "replace").split("\n")
    except OSError:
        return "", ""
    return (lines[0], lines[1]) if len(lines) > 1 else (lines[0], "")


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""
