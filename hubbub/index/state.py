"""What an index must remember beside its posts: burials, authors, position, its embedder; one SQLite file.

A commit survives kill -9; `sync` makes it survive power loss. It holds ids of deleted posts as digests only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from hubbub.authors import AuthorState
from hubbub.errors import Corruption, StorageError, VersionMismatch
from hubbub.index.document import Key
from hubbub.posts import AuthorId

FORMAT = 1
"""Rises whenever an older hubbub could not read what a newer one writes."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS burials (
    key BLOB PRIMARY KEY, seq INTEGER NOT NULL, kind TEXT NOT NULL, successor BLOB
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS burials_seq ON burials (seq);
CREATE TABLE IF NOT EXISTS authors (
    author TEXT PRIMARY KEY, changed INTEGER NOT NULL, is_restricted INTEGER NOT NULL, state TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS authors_changed ON authors (changed);
CREATE TABLE IF NOT EXISTS handles (
    author TEXT PRIMARY KEY, handle TEXT NOT NULL, seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS handles_handle ON handles (handle);
CREATE TABLE IF NOT EXISTS unembedded (key BLOB PRIMARY KEY) WITHOUT ROWID;
"""


class Burial(msgspec.Struct, frozen=True):
    """A post id that is gone: for good, or (withdrawn) until a later edit makes it public again."""

    seq: int
    kind: Literal["deleted", "replaced", "withdrawn"] = "deleted"
    successor: Key | None = None
    """The id that an edit gave it."""

    def bars(self, seq: int) -> bool:
        """Tell whether event `seq` may not bring the post back."""
        return self.kind != "withdrawn" or seq <= self.seq


class State:
    """The durable memory of one index; every call is made by one thread at a time."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the file; None keeps everything in memory.

        Raises:
            Corruption: the file is not a state file of ours.
            StorageError: the directory is missing or read-only.
            VersionMismatch: a newer hubbub wrote it.
        """
        self._where = str(path or ":memory:")
        try:
            self._db = sqlite3.connect(self._where, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("PRAGMA secure_delete=ON")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise _translate(error, self._where) from None
        self._check_format()
        self._has_burials = bool(self._all("SELECT 1 FROM burials LIMIT 1"))
        self._has_authors = bool(self._all("SELECT 1 FROM authors LIMIT 1"))
        self._has_handles = bool(self._all("SELECT 1 FROM handles LIMIT 1"))
        self.restricted: dict[AuthorId, AuthorState] = {
            author: _read_author(text)
            for author, text in self._all("SELECT author, state FROM authors WHERE is_restricted")
        }

    def get(self, name: str) -> str | None:
        """Return a note by name."""
        rows = self._all("SELECT value FROM meta WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def set(self, **notes: str) -> None:
        """Write notes by name."""
        self._write([("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(notes.items()))])

    def kept(self, name: str) -> bytes | None:
        """Return bytes that were kept by name."""
        rows = self._all("SELECT value FROM kept WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def keep(self, name: str, value: bytes) -> None:
        """Keep bytes by name."""
        self._write([("INSERT OR REPLACE INTO kept VALUES (?, ?)", [(name, value)])])

    def buried(self, keys: Sequence[Key]) -> dict[Key, Burial]:
        """Return the burials among `keys`."""
        if not self._has_burials:
            return {}
        found = {}
        for part in _parts(keys):
            marks = ",".join("?" * len(part))
            sql = f"SELECT key, seq, kind, successor FROM burials WHERE key IN ({marks})"
            for key, seq, kind, successor in self._all(sql, [bytes.fromhex(key) for key in part]):
                found[key.hex()] = Burial(seq, kind, successor.hex() if successor else None)
        return found

    def authors(self, names: Iterable[AuthorId]) -> dict[AuthorId, AuthorState]:
        """Return the states of those authors that any event named."""
        if not self._has_authors:
            return {}
        found = {}
        for part in _parts(list(names)):
            sql = f"SELECT author, state FROM authors WHERE author IN ({','.join('?' * len(part))})"
            found.update({author: _read_author(text) for author, text in self._all(sql, part)})
        return found

    def remember(
        self,
        burials: Mapping[Key, Burial],
        authors: Mapping[AuthorId, AuthorState],
        names: Mapping[AuthorId, tuple[int, str | None]] = {},
    ) -> None:
        """Store burials, authors and handles in one commit that survives kill -9."""
        if not burials and not authors and not names:
            return
        rows = [
            (bytes.fromhex(key), b.seq, b.kind, bytes.fromhex(b.successor) if b.successor else None)
            for key, b in burials.items()
        ]
        states = [
            (author, state.changed, state.is_restricted, msgspec.json.encode(state).decode())
            for author, state in authors.items()
        ]
        self._write(
            [
                ("INSERT OR REPLACE INTO burials VALUES (?, ?, ?, ?)", rows),
                ("INSERT OR REPLACE INTO authors VALUES (?, ?, ?, ?)", states),
                (
                    "DELETE FROM handles WHERE author = ? AND seq <= ?",
                    [(a, seq) for a, (seq, _) in names.items()],
                ),
                (
                    "INSERT OR IGNORE INTO handles VALUES (?, ?, ?)",
                    [(a, n, s) for a, (s, n) in names.items() if n],
                ),
            ]
        )
        self._has_handles |= bool(names)
        self._has_burials |= bool(burials)
        self._has_authors |= bool(authors)
        for author, state in authors.items():
            self.restricted.pop(author, None)
            if state.is_restricted:
                self.restricted[author] = state

    def handles(self, authors: Iterable[AuthorId]) -> dict[AuthorId, str]:
        """Return the handles of those accounts that have one; what two claim at a time is nobody's."""
        if not self._has_handles:
            return {}
        found: dict[AuthorId, str] = {}
        for part in _parts(list(authors)):
            sql = (
                f"SELECT author, handle FROM handles h WHERE author IN ({','.join('?' * len(part))})"
                " AND NOT EXISTS (SELECT 1 FROM handles o WHERE o.handle = h.handle AND o.author != h.author)"
            )
            found.update(self._all(sql, part))
        return found

    def holders(self, handles: Iterable[str]) -> list[AuthorId]:
        """Return the accounts that have one of these handles, but for those that two claim at a time."""
        found = []
        for handle in handles if self._has_handles else ():
            sql = "SELECT author FROM handles WHERE handle = ? LIMIT 2"
            claimants = [author for (author,) in self._all(sql, (handle.lower(),))]
            found += claimants if len(claimants) == 1 else []
        return found

    def buried_since(self, seq: int) -> Iterator[Key]:
        """Yield the keys that events after `seq` buried."""
        for (key,) in self._all("SELECT key FROM burials WHERE seq > ?", (seq,)):
            yield key.hex()

    def authors_since(self, seq: int) -> dict[AuthorId, AuthorState]:
        """Return the authors that events after `seq` changed."""
        rows = self._all("SELECT author, state FROM authors WHERE changed > ?", (seq,))
        return {author: _read_author(text) for author, text in rows}

    def owe_vectors(self, keys: Iterable[Key]) -> None:
        """Note that these posts wait for their vectors."""
        self._write([("INSERT OR IGNORE INTO unembedded VALUES (?)", [(bytes.fromhex(k),) for k in keys])])

    def owed_vectors(self, limit: int) -> list[Key]:
        """Return up to `limit` posts that wait for their vectors."""
        return [key.hex() for (key,) in self._all("SELECT key FROM unembedded LIMIT ?", (limit,))]

    def count_owed(self) -> int:
        """Count the posts that wait for their vectors."""
        return int(self._all("SELECT count(*) FROM unembedded")[0][0])

    def settle_vectors(self, keys: Iterable[Key]) -> None:
        """Forget that these posts wait."""
        self._write([("DELETE FROM unembedded WHERE key = ?", [(bytes.fromhex(k),) for k in keys])])

    def sync(self) -> None:
        """Return once every commit so far survives power loss."""
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            raise _translate(error, self._where) from None

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def _check_format(self) -> None:
        found = self.get("format")
        if found is None:
            self.set(format=str(FORMAT))
        elif int(found) > FORMAT:
            self._db.close()
            raise VersionMismatch(
                f"index state {self._where} has format {found}, this hubbub reads {FORMAT}; upgrade hubbub"
            )

    def _all(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise _translate(error, self._where) from None

    def _write(self, statements: Iterable[tuple[str, Sequence[Sequence[object]]]]) -> None:
        try:
            with self._db:
                self._db.execute("BEGIN")
                for sql, rows in statements:
                    self._db.executemany(sql, rows)
        except sqlite3.Error as error:
            raise _translate(error, self._where) from None


def _read_author(text: str) -> AuthorState:
    return msgspec.json.decode(text, type=AuthorState)


def _parts(items: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _translate(error: sqlite3.Error, where: str) -> Corruption | StorageError:
    text = str(error)
    if "malformed" in text or "not a database" in text:
        return Corruption(
            f"index state {where}: {text}; make it again from the archive: hubbub index rebuild"
        )
    return StorageError(f"index state {where}: {text}; check that the disk is there, writable and not full")
