"""The archive that was not chosen: SQLite in WAL mode, with one row an event or one row a batch.

Same promises where SQLite has them: committed = survives kill -9 (`synchronous=NORMAL`), a sync of the WAL on
flush. What it does not do is in docs/decisions/010-archive-storage.md.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from hubbub.posts import Event

_encoder = msgspec.msgpack.Encoder()
_one = msgspec.msgpack.Decoder(Event)
_many = msgspec.msgpack.Decoder(list[Event])


class SqliteArchive:
    """Appends and reads events in one table."""

    def __init__(self, directory: Path, *, is_row_per_batch: bool) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / "archive.db"
        self._is_row_per_batch = is_row_per_batch
        self._database = sqlite3.connect(self._path, isolation_level=None)
        self._database.execute("pragma journal_mode=wal")
        self._database.execute("pragma synchronous=normal")
        self._database.execute("create table if not exists log (seq integer primary key, data blob)")
        self._last_seq = 0

    def append(self, events: Sequence[Event]) -> range:
        """Commit a batch."""
        first = self._last_seq + 1
        if self._is_row_per_batch:
            rows = [(first, _encoder.encode(events))]
        else:
            rows = [(first + place, _encoder.encode(event)) for place, event in enumerate(events)]
        self._database.execute("begin immediate")
        self._database.executemany("insert into log values (?, ?)", rows)
        self._database.execute("commit")
        self._last_seq += len(events)
        return range(first, self._last_seq + 1)

    def flush(self) -> None:
        """Sync the write-ahead log."""
        fd = os.open(f"{self._path}-wal", os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)

    def read(self) -> Iterator[tuple[int, Event]]:
        """Iterate all events."""
        for seq, data in self._database.execute("select seq, data from log order by seq"):
            if self._is_row_per_batch:
                yield from enumerate(_many.decode(data), seq)
            else:
                yield seq, _one.decode(data)

    def close(self) -> None:
        """Close; SQLite moves the log into the table."""
        self._database.close()
