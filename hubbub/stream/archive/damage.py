"""Tells a torn tail, which may be cut off, from a damaged middle, which must stop everything."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import msgspec

from hubbub.errors import Corruption
from hubbub.stream.archive.segment import FrameWalk, scan_frames


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """What opening an archive for writing had to cut off: a write that was never acknowledged."""

    path: str
    offset: int
    """Byte at which the file was cut."""
    num_bytes: int
    next_seq: int
    reason: str


def check_is_torn(walk: FrameWalk, path: Path, *, seq: int, is_same_boot: bool) -> None:
    """Return if the damage at which a walk stopped is the end of an interrupted write.

    An append is one write, so a killed process leaves at most one frame cut short, at the very end: one that
    is whole and wrong, or a whole one behind the damage, proves that an acknowledged one was hit. Only power
    loss can leave unwritten pages before written ones, and only behind what had been synced; each frame says
    how far that was.

    Raises:
        Corruption: an acknowledged frame is damaged.
    """
    is_hit = is_same_boot and not walk.is_cut_short
    for at, frame in scan_frames(walk.fd, walk.offset):
        if at == walk.offset:
            return  # its writer finished it meanwhile
        is_hit = is_hit or is_same_boot or frame.synced_bytes > walk.offset
    if is_hit:
        raise_corruption(path, walk.offset, seq, walk.damage)


def raise_corruption(path: Path, offset: int, seq: int, reason: str) -> NoReturn:
    """Stop, naming the file, the byte and the sequence number."""
    raise Corruption(
        f"archive file {str(path)!r} is damaged at byte {offset} (seq {seq}): {reason}; "
        "nothing was changed; restore this file from a backup"
    )
