"""Tells a torn tail, which may be cut off, from a damaged middle, which must stop everything."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import msgspec

from hubbub.errors import Corruption
from hubbub.stream.archive.segment import scan_frames


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """What opening an archive for writing had to cut off: a write that was never acknowledged."""

    path: str
    offset: int
    """Byte at which the file was cut."""
    num_bytes: int
    next_seq: int
    reason: str


def check_is_torn(fd: int, path: Path, offset: int, *, seq: int, reason: str, is_same_boot: bool) -> None:
    """Return if the damage at `offset` is the end of an interrupted write.

    An append is one write, so a killed process leaves at most one unfinished frame, at the very end: a whole
    frame behind the damage proves that an acknowledged one was hit. Only power loss can leave unwritten pages
    before written ones, and only behind what had been synced; each frame says how far that was.

    Raises:
        Corruption: an acknowledged frame is damaged.
    """
    for at, frame in scan_frames(fd, offset):
        if at == offset:
            return  # its writer finished it meanwhile
        if is_same_boot or frame.synced_bytes > offset:
            raise_corruption(path, offset, seq, reason)


def raise_corruption(path: Path, offset: int, seq: int, reason: str) -> NoReturn:
    """Stop, naming the file, the byte and the sequence number."""
    raise Corruption(
        f"archive file {str(path)!r} is damaged at byte {offset} (seq {seq}): {reason}; "
        "nothing was changed; restore this file from a backup"
    )
