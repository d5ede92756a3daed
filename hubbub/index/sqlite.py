"""The reference backend: stdlib SQLite and an exact numpy scan; clear and right, good to about 200,000 posts.

Scores are the engine's: the product of a post's term weights and the plan's, and cosine.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hubbub.errors import Corruption, StorageError
from hubbub.index.backend import BackendStats, Legs
from hubbub.index.document import Document, Key
from hubbub.index.plan import Plan

_SCHEMA = """
CREATE TABLE IF NOT EXISTS docs (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL, received_us INTEGER NOT NULL,
    post TEXT NOT NULL, tokens TEXT NOT NULL, terms BLOB NOT NULL, vector BLOB,
    is_hidden INTEGER NOT NULL, is_unpromptable INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS docs_received ON docs (received_us);
CREATE TABLE IF NOT EXISTS postings (
    term INTEGER, doc INTEGER, weight REAL NOT NULL, PRIMARY KEY (term, doc)
) WITHOUT ROWID;
CREATE VIRTUAL TABLE IF NOT EXISTS filters USING fts5(
    tokens, content='docs', content_rowid='id', tokenize="unicode61 remove_diacritics 0"
);
"""
_COLUMNS = "key, seq, received_us, post, tokens, terms, vector, is_hidden, is_unpromptable"


class SqliteBackend:
    """Documents in one SQLite file, their vectors also in memory as one matrix."""

    def __init__(self, path: Path | None, dim: int, erase_s: float = 3600.0) -> None:
        """Open or create the file; None keeps everything in memory.

        Raises:
            Corruption: the file is not ours.
            StorageError: the directory is missing or read-only.
        """
        self._where = str(path or ":memory:")
        self._erase_s = erase_s / 2
        self.applied_seq = self._owed_after = 0
        # What was deleted before the last closing may wait in the word index still.
        self._erase_at_s: float | None = time.monotonic() + self._erase_s
        try:
            self._db = sqlite3.connect(self._where, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            # What is deleted is overwritten in the file at once, but for the word index (see `flush`).
            self._db.execute("PRAGMA secure_delete=ON")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise self._translate(error) from None
        self._matrix = _Matrix(dim)
        for number, blob in self._all("SELECT id, vector FROM docs WHERE vector IS NOT NULL"):
            self._matrix.set(number, np.frombuffer(blob, np.float16))

    def versions(self, keys: Sequence[Key]) -> dict[Key, int]:
        """Return the sequence number of each stored document among `keys`."""
        return dict(self._by_keys("SELECT key, seq FROM docs WHERE key IN", keys))

    def owned(self, author: str) -> dict[Key, int]:
        """Return key and sequence number of every document that carries this author token."""
        sql = "SELECT key, seq FROM docs WHERE id IN (SELECT rowid FROM filters WHERE filters MATCH ?)"
        return dict(self._all(sql, (_quote(author),)))

    def put(self, documents: Sequence[Document]) -> None:
        """Store documents, replacing those of the same keys."""
        with self._transaction():
            self._remove([document.key for document in documents])
            for document in documents:
                self._insert(document)

    def set_vectors(self, vectors: Mapping[Key, list[float]]) -> None:
        """Give stored documents their vectors."""
        numbers = dict(self._by_keys("SELECT key, id FROM docs WHERE key IN", list(vectors)))
        for key, number in numbers.items():
            row = np.asarray(vectors[key], np.float16)
            self._all("UPDATE docs SET vector = ? WHERE id = ?", (row.tobytes(), number))
            self._matrix.set(number, row)

    def delete(self, keys: Collection[Key]) -> None:
        """Remove documents."""
        with self._transaction():
            self._remove(list(keys))

    def flag(self, author: str, is_hidden: bool, is_unpromptable: bool) -> None:
        """Set the flags of every document of an author."""
        self._all(
            "UPDATE docs SET is_hidden = ?, is_unpromptable = ? "
            "WHERE id IN (SELECT rowid FROM filters WHERE filters MATCH ?)",
            (is_hidden, is_unpromptable, _quote(author)),
        )

    def search(self, plan: Plan) -> Legs:
        """Return the best candidates of each leg."""
        where, values = _where(plan)
        lexical = self._lexical(plan, where, values)
        recent, dense = {}, {}
        if plan.recent_us is not None:
            recent = self._lexical(plan, f"{where} AND received_us >= ?", [*values, plan.recent_us])
        if plan.vector:
            rows = self._all(f"SELECT id, key FROM docs WHERE {where}", values)
            dense = self._matrix.nearest(np.asarray(plan.vector, np.float32), dict(rows), plan.depth)
        return Legs(lexical=lexical, recent=recent, dense=dense)

    def newest(self, plan: Plan) -> list[tuple[Key, int]]:
        """Return the newest matches."""
        where, values = _where(plan)
        sql = f"SELECT key, received_us FROM docs WHERE {where} ORDER BY received_us DESC, key LIMIT ?"
        return self._all(sql, [*values, plan.depth])

    def fetch(self, keys: Sequence[Key]) -> dict[Key, str]:
        """Return the stored posts as JSON."""
        return dict(self._by_keys("SELECT key, post FROM docs WHERE key IN", keys))

    def vectors(self, keys: Sequence[Key]) -> dict[Key, list[float]]:
        """Return the stored vectors."""
        rows = self._by_keys("SELECT key, vector FROM docs WHERE vector IS NOT NULL AND key IN", keys)
        return {key: np.frombuffer(blob, np.float16).tolist() for key, blob in rows}

    @property
    def owes_erasure(self) -> bool:
        """Whether deleted words wait in the word index."""
        return self._erase_at_s is not None

    @property
    def erased_seq(self) -> int:
        """Up to which event, at least, what it deleted has left the file."""
        return self.applied_seq if self._erase_at_s is None else self._owed_after

    def wait_ready(self) -> None:
        """Return at once."""

    def flush(self) -> bool:
        """Make everything stored so far survive power loss; now and then rebuild the word index.

        FTS5 keeps deleted words until segments merge; its own remedy needs SQLite 3.42 (Debian 12: 3.40).
        """
        is_due = self._erase_at_s is not None and time.monotonic() >= self._erase_at_s
        if is_due:
            self._all("INSERT INTO filters (filters) VALUES ('optimize')")
        self._all("PRAGMA wal_checkpoint(TRUNCATE)")
        if is_due:
            self._erase_at_s = None
        return True

    def stats(self) -> BackendStats:
        """Count what is stored."""
        return BackendStats(num_posts=int(self._all("SELECT count(*) FROM docs")[0][0]))

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def _lexical(self, plan: Plan, where: str, values: Sequence[object]) -> dict[Key, float]:
        weights = list(zip(plan.term_ids, plan.term_weights, strict=True))
        if not weights:
            return {}
        asked = ",".join("(?, ?)" for _ in weights)
        sql = (
            f"WITH asked (term, weight) AS (VALUES {asked}) "
            "SELECT key, sum(p.weight * asked.weight) AS score FROM asked JOIN postings p USING (term) "
            f"JOIN docs ON docs.id = p.doc WHERE {where} GROUP BY key ORDER BY score DESC, key LIMIT ?"
        )
        return dict(self._all(sql, [*(x for pair in weights for x in pair), *values, plan.depth]))

    def _insert(self, document: Document) -> None:
        vector = None if document.vector is None else np.asarray(document.vector, np.float16)
        row = (
            document.key, document.seq, document.received_us, document.post, document.tokens,
            np.asarray(document.term_ids, np.uint32).tobytes(),
            None if vector is None else vector.tobytes(), document.is_hidden, document.is_unpromptable,
        )  # fmt: skip
        cursor = self._db.execute(f"INSERT INTO docs ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)", row)
        number = int(cursor.lastrowid or 0)
        self._db.execute("INSERT INTO filters (rowid, tokens) VALUES (?, ?)", (number, document.tokens))
        postings = [(t, number, w) for t, w in zip(document.term_ids, document.weights, strict=True)]
        self._db.executemany("INSERT INTO postings VALUES (?, ?, ?)", postings)
        if vector is not None:
            self._matrix.set(number, vector)

    def _remove(self, keys: Sequence[Key]) -> None:
        for number, tokens, terms in self._by_keys("SELECT id, tokens, terms FROM docs WHERE key IN", keys):
            forget = "INSERT INTO filters (filters, rowid, tokens) VALUES ('delete', ?, ?)"
            self._db.execute(forget, (number, tokens))
            gone = [(term, number) for term in np.frombuffer(terms, np.uint32).tolist()]
            self._db.executemany("DELETE FROM postings WHERE term = ? AND doc = ?", gone)
            self._db.execute("DELETE FROM docs WHERE id = ?", (number,))
            self._matrix.remove(number)
            if self._erase_at_s is None:
                self._owed_after = self.applied_seq
                self._erase_at_s = time.monotonic() + self._erase_s

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._db:
                self._db.execute("BEGIN")
                yield
        except sqlite3.Error as error:
            raise self._translate(error) from None

    def _by_keys(self, sql: str, keys: Sequence[Key]) -> list[tuple[Any, ...]]:
        found = []
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            found += self._all(f"{sql} ({','.join('?' * len(part))})", part)
        return found

    def _all(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._translate(error) from None

    def _translate(self, error: sqlite3.Error) -> Corruption | StorageError:
        text = str(error)
        if "malformed" in text or "not a database" in text:
            return Corruption(
                f"index {self._where}: {text}; make it again from the archive: hubbub index rebuild"
            )
        return StorageError(f"index {self._where}: {text}; check that the disk is writable and not full")


class _Matrix:
    """Vectors by document number, grown by doubling; a row of a removed document is reused."""

    def __init__(self, dim: int) -> None:
        self._rows: NDArray[np.float32] = np.zeros((1024, dim), np.float32)
        self._places: dict[int, int] = {}
        self._free: list[int] = []

    def set(self, number: int, vector: NDArray[np.float16]) -> None:
        place = self._places.get(number)
        if place is None:
            place = self._free.pop() if self._free else len(self._places)
            self._places[number] = place
        if place >= len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        self._rows[place] = vector

    def remove(self, number: int) -> None:
        place = self._places.pop(number, None)
        if place is not None:
            self._free.append(place)

    def nearest(self, vector: NDArray[np.float32], keys: Mapping[int, Key], depth: int) -> dict[Key, float]:
        numbers = [number for number in keys if number in self._places]
        scores = self._rows[[self._places[number] for number in numbers]] @ vector
        best = sorted(zip((-scores).tolist(), (keys[n] for n in numbers), strict=True))[:depth]
        return {key: -score for score, key in best}


def _where(plan: Plan) -> tuple[str, list[object]]:
    clauses: list[str] = ["NOT is_unpromptable"] if plan.for_prompt else []
    values: list[object] = []
    clauses.append("NOT is_hidden")
    for sign, tokens in _matches(plan):
        clauses.append(f"docs.id {sign} (SELECT rowid FROM filters WHERE filters MATCH ?)")
        values.append(tokens)
    for bound, value in ((">=", plan.from_us), ("<", plan.to_us)):
        if value is not None:
            clauses.append(f"received_us {bound} ?")
            values.append(value)
    return " AND ".join(clauses), values


def _matches(plan: Plan) -> Iterable[tuple[str, str]]:
    for group in plan.must:
        yield "IN", " OR ".join(map(_quote, group))
    for tokens in plan.must_not:
        yield "NOT IN", _quote(tokens)


def _quote(tokens: str) -> str:
    return '"' + tokens.replace('"', "") + '"'
