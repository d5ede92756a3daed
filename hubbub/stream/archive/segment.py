"""A segment file of the log: its name, its head, and walking its frames; it decides nothing about damage.

A segment is named by the sequence number of its first event (`00000000000000000001.log`) and begins with
32 bytes, little-endian: "hubbub-log" (10), version u16, first_seq u64, identity (8 random bytes, new whenever
the file is written anew), crc32 of those 28 bytes u32.
Frames (`frame.py`) follow back to back. The first frame repeats the cursors of all sources.
These 32 bytes keep their layout in every version, so that an older hubbub can tell a newer one's files.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from hubbub.disk import read_at, replace_durably, write_all
from hubbub.errors import Corruption, VersionMismatch
from hubbub.posts import Cursor
from hubbub.stream.archive.frame import HEADER_BYTES, MAGIC, Frame, encode_frame, is_intact, parse_header

VERSION = 1
HEAD_BYTES = 32
SUFFIX = ".log"
TEMPORARY = ".tmp"

_HEAD = struct.Struct("<10sHQ8s")
_MAGIC = b"hubbub-log"
_CRC = struct.Struct("<I")
_READ_BYTES = 1 << 20


def segment_path(directory: Path, first_seq: int) -> Path:
    """Name the segment that begins with this sequence number."""
    return directory / f"{first_seq:020d}{SUFFIX}"


def list_segments(directory: Path) -> list[int]:
    """List the first sequence numbers of all segments, rising."""
    return sorted(int(path.stem) for path in directory.glob(f"*{SUFFIX}") if path.stem.isdigit())


def encode_head(first_seq: int) -> bytes:
    """Write the 32 bytes that begin a segment."""
    head = _HEAD.pack(_MAGIC, VERSION, first_seq, os.urandom(8))
    return head + _CRC.pack(zlib.crc32(head))


def check_head(fd: int, path: Path) -> None:
    """Check the first 32 bytes.

    Raises:
        Corruption: they are damaged, or belong to another segment.
        VersionMismatch: a newer hubbub wrote the file.
    """
    data = read_at(fd, HEAD_BYTES, 0)
    if len(data) < HEAD_BYTES or zlib.crc32(data[: _HEAD.size]) != _CRC.unpack_from(data, _HEAD.size)[0]:
        raise Corruption(
            f"{str(path)!r} is damaged at byte 0 (seq {int(path.stem)}): not the head of a hubbub log; "
            "restore this file from a backup"
        )
    magic, version, first_seq, _ = _HEAD.unpack_from(data)
    if magic != _MAGIC or first_seq != int(path.stem):
        raise Corruption(f"{str(path)!r} begins with seq {first_seq} at byte 0: it was renamed; name it back")
    if version > VERSION:
        raise VersionMismatch(
            f"{str(path)!r} has format {version}, this hubbub reads up to {VERSION}; upgrade hubbub"
        )


def read_identity(fd: int) -> bytes:
    """Return what tells this file from any other that has or had its name; inode numbers are used again."""
    return read_at(fd, 8, _HEAD.size - 8)


def open_segment(path: Path) -> int:
    """Open a segment for reading and check its head; raises OSError, Corruption or VersionMismatch."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        check_head(fd, path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def create_segment(directory: Path, first_seq: int, cursors: Mapping[str, Cursor]) -> Path:
    """Create an empty segment that is whole on disk before it gets its name; raises OSError."""
    path = segment_path(directory, first_seq)
    temporary = path.with_suffix(SUFFIX + TEMPORARY)
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            write_all(
                fd, encode_head(first_seq) + encode_frame([], cursors, first_seq, 0, has_all_cursors=True)
            )
            os.fsync(fd)
        finally:
            os.close(fd)
        replace_durably(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return path


class FrameWalk:
    """Walks the undamaged frames of an open segment; `offset` and `damage` then say where it stopped."""

    def __init__(self, fd: int, offset: int = HEAD_BYTES) -> None:
        self.fd = fd
        self.offset = offset
        """Where the next frame begins, or the damage."""
        self.damage = ""
        """Why the walk stopped before the end of the file, if it did."""
        self.is_cut_short = False
        """Whether what is there of the damaged frame may be the beginning of a right one."""
        self._buffer = b""
        self._buffer_at = offset

    def frames(self) -> Iterator[tuple[int, Frame, memoryview]]:
        """Yield (offset, header, payload) of each frame, payloads checked."""
        while (header := self._take(self.offset, HEADER_BYTES)) is not None:
            frame = parse_header(header)
            if frame is None:
                self._stop(len(header) < HEADER_BYTES, "the frame's header is damaged")
                return
            payload = self._take(self.offset + HEADER_BYTES, frame.size) if frame.size else memoryview(b"")
            if payload is None or not is_intact(frame, payload):
                self._stop(payload is None or len(payload) < frame.size, "the frame's checksum is wrong")
                return
            at = self.offset
            self.offset += frame.total_bytes
            yield at, frame, payload

    def headers(self) -> Iterator[tuple[int, Frame]]:
        """Yield (offset, header) of each frame without reading payloads."""
        length = os.fstat(self.fd).st_size
        while header := read_at(self.fd, HEADER_BYTES, self.offset):
            frame = parse_header(header)
            if frame is None or self.offset + frame.total_bytes > length:
                self._stop(frame is not None or len(header) < HEADER_BYTES, "the frame's header is damaged")
                return
            at = self.offset
            self.offset += frame.total_bytes
            yield at, frame

    def _stop(self, is_cut_short: bool, reason: str) -> None:
        self.is_cut_short, self.damage = is_cut_short, "the frame is cut off" if is_cut_short else reason

    def _take(self, offset: int, num_bytes: int) -> memoryview | None:
        """Return bytes at an offset, fewer at the end of the file, None exactly at its end."""
        start = offset - self._buffer_at
        if start < 0 or start + num_bytes > len(self._buffer):
            self._buffer = read_at(self.fd, max(num_bytes, _READ_BYTES), offset)
            self._buffer_at, start = offset, 0
        view = memoryview(self._buffer)[start : start + num_bytes]
        return view if view else None


def scan_frames(fd: int, offset: int) -> Iterator[tuple[int, Frame]]:
    """Find every whole, undamaged frame at or after an offset, wherever it begins."""
    data = read_at(fd, max(os.fstat(fd).st_size - offset, 0), offset)
    at = data.find(MAGIC)
    while at >= 0:
        frame = parse_header(data, at)
        if frame and is_intact(frame, memoryview(data)[at + HEADER_BYTES : at + frame.total_bytes]):
            yield offset + at, frame
        at = data.find(MAGIC, at + 1)
