"""One frame of the log: a batch of events with the cursors of their sources, framed by lengths and checksums.

It knows bytes in memory only; files are `segment.py`'s. The layout, little-endian:

    magic        4 bytes  "HbF1"
    codec        u8       0 = plain, 1 = zlib
    flags        u8       1 = the cursors are those of all sources, not only of this batch
    reserved     u16      0
    count        u32      events in this frame; 0 in a frame that only carries cursors or a mark
    size         u32      bytes of the payload
    first_seq    u64      sequence number of the first event (of the next event, where count is 0)
    synced_bytes u64      this file's length that had reached the disk when the frame was written
    payload_crc  u32      crc32 of the payload as stored
    header_crc   u32      crc32 of the 36 bytes before
    payload      msgpack  [cursors: {source: cursor}, events: [Event, ...]], structs as tagged maps
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from hubbub.errors import InvalidEvent, InvalidInput
from hubbub.posts import Cursor, Event

MAGIC = b"HbF1"
HEADER_BYTES = 40
MAX_PAYLOAD_BYTES = 1 << 30
PLAIN, ZLIB = 0, 1

_COMPLETE = 1

ZLIB_FROM_BYTES = 512
"""Shorter payloads stay plain: they hardly shrink."""
ZLIB_LEVEL = 1
"""A third of the size at 5 us an event; level 6 costs three times as much for a tenth less (decision 010)."""

_LAYOUT = struct.Struct("<4sBBHIIQQI")
_CRC = struct.Struct("<I")
_HEADER = struct.Struct(_LAYOUT.format + "I")


class Block(msgspec.Struct, frozen=True, array_like=True):
    """What a frame carries."""

    cursors: dict[str, Cursor]
    events: list[Event]


class _BlockCursors(msgspec.Struct, frozen=True, array_like=True):
    cursors: dict[str, Cursor]
    events: msgspec.Raw


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Block)
_CURSOR_BYTES = 2048
_map_decoder = msgspec.msgpack.Decoder(dict[str, Cursor])
_cursor_decoder = msgspec.msgpack.Decoder(_BlockCursors)


class Frame(NamedTuple):
    """The header of a frame."""

    codec: int
    has_all_cursors: bool
    num_events: int
    size: int
    first_seq: int
    synced_bytes: int
    payload_crc: int

    @property
    def next_seq(self) -> int:
        """The sequence number that follows this frame."""
        return self.first_seq + self.num_events

    @property
    def total_bytes(self) -> int:
        """Header and payload."""
        return HEADER_BYTES + self.size


def encode_frame(
    events: Sequence[Event],
    cursors: Mapping[str, Cursor],
    first_seq: int,
    synced_bytes: int,
    *,
    has_all_cursors: bool = False,
) -> bytes:
    """Frame a batch.

    Raises:
        InvalidEvent: an event holds what cannot be stored, such as half of a surrogate pair.
        InvalidInput: the batch is larger than a frame may be.
    """
    try:
        payload = _encoder.encode(Block(dict(cursors), list(events)))
    except (UnicodeEncodeError, OverflowError, TypeError) as error:
        raise InvalidEvent(_name_culprit(events, error)) from None
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise InvalidInput(
            f"a batch of {len(payload)} bytes is over {MAX_PAYLOAD_BYTES}; append fewer at once"
        )
    codec = PLAIN
    if len(payload) >= ZLIB_FROM_BYTES:
        codec, payload = ZLIB, zlib.compress(payload, ZLIB_LEVEL)
    flags, crc = _COMPLETE * has_all_cursors, zlib.crc32(payload)
    head = _LAYOUT.pack(MAGIC, codec, flags, 0, len(events), len(payload), first_seq, synced_bytes, crc)
    return head + _CRC.pack(zlib.crc32(head)) + payload


def _name_culprit(events: Sequence[Event], error: Exception) -> str:
    for event in events:
        try:
            _encoder.encode(event)
        except (UnicodeEncodeError, OverflowError, TypeError) as reason:
            return f"event {str(event)[:200]!a} cannot be stored: {reason}; clean it before appending"
    return f"the cursors cannot be stored: {error}; give plain strings"


def parse_header(data: bytes | memoryview, at: int = 0) -> Frame | None:
    """Read a frame's header, or None if there is no undamaged one at this place."""
    if len(data) < at + HEADER_BYTES:
        return None
    magic, codec, flags, _, count, size, first_seq, synced_bytes, payload_crc, header_crc = (
        _HEADER.unpack_from(data, at)
    )
    if magic != MAGIC or zlib.crc32(data[at : at + _LAYOUT.size]) != header_crc:
        return None
    return Frame(codec, bool(flags & _COMPLETE), count, size, first_seq, synced_bytes, payload_crc)


def is_intact(frame: Frame, payload: bytes | memoryview) -> bool:
    """Whether the payload is whole and as it was written."""
    return len(payload) == frame.size and zlib.crc32(payload) == frame.payload_crc


def decode_block(frame: Frame, payload: bytes | memoryview) -> Block:
    """Decode an intact payload into typed events; the caller has checked `is_intact`."""
    return _decoder.decode(_inflate(frame, payload))


def decode_cursors(frame: Frame, payload: bytes | memoryview) -> dict[str, Cursor]:
    """Decode only the cursors of an intact payload, which stand first: the events are not even inflated."""
    start = _start(frame, payload)
    end = _end_of_map(start)
    if end is None:
        return _cursor_decoder.decode(_inflate(frame, payload)).cursors
    return _map_decoder.decode(start[1:end])


class CursorTrail:
    """Finds the newest cursor of every source in a segment that is walked from its beginning.

    What comes before a frame with the cursors of all sources need not even be inflated, which is half of the
    time of opening an archive.
    """

    def __init__(self) -> None:
        self._later: list[tuple[Frame, memoryview]] = []

    def add(self, frame: Frame, payload: memoryview) -> None:
        """Note the next intact frame."""
        if frame.has_all_cursors:
            self._later.clear()
        self._later.append((frame, payload))

    def read(self) -> dict[str, Cursor]:
        """Return the cursors as of the last frame."""
        found: dict[str, Cursor] = {}
        for frame, payload in self._later:
            found |= decode_cursors(frame, payload)
        return found


def _start(frame: Frame, payload: bytes | memoryview) -> bytes:
    if frame.codec == ZLIB:
        return zlib.decompressobj().decompress(payload, _CURSOR_BYTES)
    return bytes(payload[:_CURSOR_BYTES])


def _end_of_map(start: bytes) -> int | None:
    """Return where the map of strings ends that a payload of two parts begins with; None if it is longer."""
    if len(start) < 2 or not 0x80 <= start[1] <= 0x8F:  # msgpack's map of up to 15 pairs
        return None
    at = 2
    for _ in range(2 * (start[1] & 0x0F)):
        head = start[at : at + 2]
        if len(head) == 2 and 0xA0 <= head[0] <= 0xBF:  # a string of up to 31 bytes
            at += 1 + (head[0] & 0x1F)
        elif len(head) == 2 and head[0] == 0xD9:  # of up to 255
            at += 2 + head[1]
        else:
            return None
    return at if at <= len(start) else None


def _inflate(frame: Frame, payload: bytes | memoryview) -> bytes | memoryview:
    return zlib.decompress(payload) if frame.codec == ZLIB else payload
