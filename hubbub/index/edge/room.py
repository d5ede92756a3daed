"""Keeps some of the disk in reserve for an index.

The engine writes through memory maps of files with holes: where the disk is full, such a write is no
exception but a bus error, and the process is gone. So every write asks first whether there is room.
"""

from __future__ import annotations

import os
from pathlib import Path

from hubbub.errors import StorageError
from hubbub.units import format_bytes

RESERVE_BYTES = 64 << 20
"""A batch of 128 posts takes up to 1 MB (measured), a sealing grows a page at a time beside it."""
DELETION_BYTES = 8 << 20
"""Deletions go on in a part of the reserve: they take next to nothing, and must not wait."""
SEALING_FACTOR = 3
"""Rebuilding a slice takes a copy and the new slice, its graph included: so many times its own size."""


def require_room(directory: Path, num_bytes: int) -> None:
    """Make sure that the disk under `directory` has so many bytes free.

    Raises:
        StorageError: it has not, or is gone.
    """
    try:
        disk = os.statvfs(directory)
    except OSError as error:
        raise StorageError(f"index directory {directory}: {error.strerror}; bring the disk back") from None
    free_bytes = disk.f_bavail * disk.f_frsize
    if free_bytes < num_bytes:
        raise StorageError(
            f"the disk of {str(directory)!r} is full: {format_bytes(free_bytes)} are free, the index needs "
            f"{format_bytes(num_bytes)}; free some space and start again: the archive holds everything"
        )


def sealing_bytes(directory: Path) -> int:
    """Estimate what rebuilding a slice takes on the disk, the reserve included."""
    files = (path.stat() for path in directory.rglob("*") if path.is_file())
    return RESERVE_BYTES + SEALING_FACTOR * sum(512 * file.st_blocks for file in files)
