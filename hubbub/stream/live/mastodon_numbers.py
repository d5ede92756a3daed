"""Remembers on disk which status has which number on a server: a deletion names only the number.

It is written before the archive and shortened after it, so that every archived post can be found here
(decision 015). It holds names of posts, no text.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hubbub.errors import StorageError
from hubbub.posts import PostId

_SCHEMA = """
CREATE TABLE IF NOT EXISTS status (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    number TEXT NOT NULL UNIQUE,
    uri TEXT NOT NULL,
    edited TEXT NOT NULL DEFAULT ''
) STRICT
"""


class Numbers:
    """One server's numbers; one thread uses it."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises StorageError: the disk refused."""
        self._path = path
        self._gone: list[str] = []
        with self._refusals():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("PRAGMA secure_delete=ON")
            self._db.execute(_SCHEMA)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            told = f"cannot use {str(self._path)!r}: {error}; is it on a full disk, or damaged?"
            raise StorageError(told) from None

    def get(self, number: str) -> PostId | None:
        """Return the name of a status."""
        with self._refusals():
            row = self._db.execute("SELECT uri FROM status WHERE number = ?", (number,)).fetchone()
            return row[0] if row else None

    def put(self, number: str, uri: PostId) -> None:
        """Remember a status; durable after `commit`."""
        self._write("INSERT OR IGNORE INTO status (number, uri) VALUES (?, ?)", number, uri)

    def note_edit(self, number: str, edited: str) -> None:
        """Remember when a status was edited last, as the server writes it."""
        self._write("UPDATE status SET edited = ? WHERE number = ?", edited, number)

    def note_gone(self, number: str) -> None:
        """Forget a status, once the batch with its deletion has been archived (`forget`)."""
        self._gone.append(number)

    def forget(self) -> None:
        """Forget what was noted as gone: the archive has it now."""
        for number in self._gone:
            self._write("DELETE FROM status WHERE number = ?", number)
        self._gone = []

    def commit(self) -> None:
        """Write what was put; on return it survives kill -9. Raises StorageError: the disk refused."""
        with self._refusals():
            if self._db.in_transaction:
                self._db.execute("COMMIT")

    def before(self, place: int | None, limit: int) -> Sequence[tuple[int, str, str]]:
        """Return (place, number, edited) of the statuses met before a place, the newest of them first."""
        with self._refusals():
            return self._db.execute(
                "SELECT place, number, edited FROM status WHERE place < ? ORDER BY place DESC LIMIT ?",
                (place if place is not None else 1 << 62, limit),
            ).fetchall()

    def close(self) -> None:
        """Write and close."""
        try:
            self.commit()
        finally:
            self._db.close()

    def _write(self, order: str, *values: str) -> None:
        with self._refusals():
            if not self._db.in_transaction:
                self._db.execute("BEGIN")
            self._db.execute(order, values)
