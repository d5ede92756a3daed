"""Files of small fixed records, each with its checksum, appended by one process and read by any; no lock.

A record is there after `kill -9`; power loss may take the last ones. A torn or damaged one is passed over.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

MAX_BYTES = 4 << 20
"""A file that grows beyond this is thinned to half of it or less."""

Record = tuple[int, int, int]
"""Three unsigned 64-bit numbers; what they mean is their writer's affair."""

_LAYOUT = struct.Struct("<QQQI")


class RecordFile:
    """One file that this process appends to; a disk that refuses is the archive's to complain about."""

    def __init__(
        self, path: Path, thin: Callable[[list[Record]], list[Record]], max_bytes: int = MAX_BYTES
    ) -> None:
        """Go on with a file, or make it with the first record; `thin` makes old records fewer."""
        self._path, self._thin, self._max_bytes = path, thin, max_bytes
        records = read_records(path)
        self.last: Record | None = records[-1] if records else None
        if path.exists() and path.stat().st_size % _LAYOUT.size:
            self.replace(records)  # what a crash tore would shift all that follows

    def append(self, record: Record) -> None:
        """Add a record; some microseconds."""
        self.last = record
        try:
            with open(self._path, "ab", buffering=0) as file:
                file.write(_encode(record))
                num_bytes = file.tell()
        except OSError:
            return
        if num_bytes > self._max_bytes or num_bytes % _LAYOUT.size:
            kept = read_records(self._path)
            while len(kept) * _LAYOUT.size > self._max_bytes // 2:
                thinned = self._thin(kept)
                kept = thinned if len(thinned) < len(kept) else kept[len(kept) // 2 :]
            self.replace(kept)

    def replace(self, records: list[Record]) -> None:
        """Hold these records and no others."""
        self.last = records[-1] if records else None
        temporary = self._path.with_suffix(".new")
        try:
            temporary.write_bytes(b"".join(map(_encode, records)))
            os.replace(temporary, self._path)
        except OSError:
            pass


def read_records(path: Path) -> list[Record]:
    """Return the whole records of a file, oldest first; none where there is no file."""
    try:
        data = path.read_bytes()
    except OSError:
        return []
    whole = memoryview(data)[: len(data) // _LAYOUT.size * _LAYOUT.size]
    return [
        (first, second, third)
        for place, (first, second, third, check) in enumerate(_LAYOUT.iter_unpack(whole))
        if zlib.crc32(whole[place * _LAYOUT.size : (place + 1) * _LAYOUT.size - 4]) == check
    ]


def _encode(record: Record) -> bytes:
    body = _LAYOUT.pack(*record, 0)[:-4]
    return body + zlib.crc32(body).to_bytes(4, "little")
