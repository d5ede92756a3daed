"""Folds deletions into a corpus: a byte for each post not to be read again, and a log of which and when.

Dead is a post that was deleted or replaced by an edit, whose account was removed, suspended or protected, or
whose author withdrew the consent for a corpus, for the index or for being shown. A post that comes back (a
restored account) is taken up by the next build. Bytes are only ever set, and an event up to the mark is never
looked at again, so events may be noted any number of times.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from hubbub.corpus.compaction import compact_corpus
from hubbub.corpus.manifest import Manifest, read_manifest
from hubbub.corpus.shard import open_shards
from hubbub.corpus.shards import key_of
from hubbub.corpus.state import State, locked
from hubbub.disk import refusals
from hubbub.errors import InvalidInput
from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit, Event
from hubbub.units import US_PER_S

RECORD = np.dtype([(name, "<u8") for name in ("post_key", "document", "seq", "noted_us", "kind")])
KINDS = ("deleted", "replaced", "account", "consent")
_GONE = ("removed", "suspended", "protected")
_CONSENTS = ("corpus", "index", "show")
_BATCH = 50_000
_POLL_S = 0.5

Wanted = dict[int, tuple[int, int]]
"""Key of a post or an author -> (seq, kind)."""


class EventLog(Protocol):
    """What is asked of an archive."""

    @property
    def last_seq(self) -> int:
        """Number of the newest event."""
        ...

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[tuple[int, Event]]:
        """Yield what is there now behind an event."""
        ...

    def wait(self, after: int, timeout_s: float) -> bool:
        """Return as soon as there is something behind an event."""
        ...


class DeletionFold:
    """A corpus open for its deletions; several processes may each have one."""

    def __init__(self, directory: Path | str) -> None:
        """Open the corpus, and do again what the log says was done (a deletion map that was damaged heals).

        Raises:
            Corruption: a file is damaged.
            InUse: another process holds the lock for a minute.
            InvalidInput: there is no corpus.
        """
        self._root = Path(directory)
        self._manifest: Manifest | None = None
        read_manifest(self._root)
        self._state = State(self._root, is_writer=True)
        with locked(self._root, "writer"):
            manifest = self._refresh()
            log = read_deleted(self._root, manifest.id)
            log = log[log["seq"] > manifest.about.archive_position]
            self._kill(np.unique(log["post_key"]))

    @property
    def mark(self) -> int:
        """The archive's sequence number up to which deletions are in."""
        return self._state.mark

    def oldest_us(self) -> int | None:
        """Return when the first of those posts was noted that are dead and still on the disk."""
        with locked(self._root, "writer"):
            log = read_deleted(self._root, self._refresh().id)
        places = [shard.find(log["post_key"])[1] for shard in self._shards]
        noted_us = log["noted_us"][np.concatenate(places)]
        return int(noted_us.min()) if len(noted_us) else None

    def note(self, events: Iterable[tuple[int, Event]], position: int) -> int:
        """Note what `events` take away, up to the archive's sequence number `position`; tell how many posts.

        On return every reader, in any process, leaves them out of its next read; so it stays after a crash.

        Raises:
            InUse: another process holds the lock for a minute.
            InvalidInput: the corpus is gone.
            StorageError: the disk refused; the mark stays, so that the same events are noted again.
        """
        wanted = collect(events)
        with locked(self._root, "writer"):
            manifest, mark = self._refresh(), self._state.mark
            wanted = {key: told for key, told in wanted.items() if told[0] > mark}
            num_dead = self._note(manifest, wanted) if wanted else 0
            if position > mark:
                self._state.set_mark(position)
        return num_dead

    def _note(self, manifest: Manifest, wanted: Wanted) -> int:
        keys = np.array(sorted(wanted), np.uint64)
        told = np.array([wanted[key] for key in keys.tolist()], np.uint64)
        records, places, num_new = self._kill(keys)
        if len(records):  # also those that were dead: a crash may have come between the bytes and the log
            records["noted_us"] = time.time_ns() // 1000
            records["seq"], records["kind"] = told[places, 0], told[places, 1]
            self._log(manifest, records)
        return num_new

    def _kill(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """Set the bytes of all posts under the keys; return who they are, by which key, how many lived."""
        records, places, num_new, first_document = [np.empty(0, RECORD)], [np.empty(0, np.int64)], 0, 0
        for shard in self._shards:
            base, first_document = first_document, first_document + shard.note.num_documents
            found, why = shard.find(keys)
            if not len(found):
                continue
            found, first = np.unique(found, return_index=True)
            flags = shard.flags()
            num_new += int(np.count_nonzero(flags[found] == 0))
            flags[found] = 1
            with refusals("write", shard.path):
                shard.dead.flush()
            rows = np.zeros(len(found), RECORD)
            rows["post_key"] = shard.columns["post_key"][found]
            rows["document"] = shard.documents_of(found) + base
            records.append(rows)
            places.append(why[first])
        return np.concatenate(records), np.concatenate(places), num_new

    def _log(self, manifest: Manifest, records: np.ndarray) -> None:
        path = log_path(self._root, manifest.id)
        with refusals("write", path), open(path, "ab") as file:
            torn = file.tell() % RECORD.itemsize
            if torn:
                file.truncate(file.tell() - torn)
            file.write(records.tobytes())
            file.flush()
            os.fsync(file.fileno())

    def _refresh(self) -> Manifest:
        """Map the current files; the lock is held."""
        manifest = self._manifest
        if manifest is None or self._state.generation != manifest.generation:
            manifest = self._manifest = read_manifest(self._root)
            self._shards = open_shards(self._root, manifest, is_writer=True)
            if self._state.generation != manifest.generation:
                # Whoever wrote the manifest died before telling the readers: they must know first.
                self._state.set_generation(manifest.generation)
            if self._state.mark < manifest.about.archive_position:  # the file was lost
                self._state.set_mark(manifest.about.archive_position)
        return manifest


def note_deletions(directory: Path | str, events: Iterable[tuple[int, Event]], position: int) -> int:
    """Note what `events` take away (see `DeletionFold.note`); a stream of events is quicker with a fold."""
    return DeletionFold(directory).note(events, position)


def catch_up_deletions(directory: Path | str, archive: EventLog) -> int:
    """Note all that the archive holds by now: for a trainer, before its first batch; return how many died.

    Raises:
        InvalidInput: there is no corpus, or the archive ends before what it was built from.
    """
    fold, num_dead = _open(directory, archive), 0
    while fold.mark < archive.last_seq:
        num_dead += _note_batch(fold, archive)
    return num_dead


def follow_deletions(
    directory: Path | str,
    archive: EventLog,
    stop: threading.Event,
    *,
    compact_s: float | None = None,
    tell: Callable[[int, int], object] | None = None,
) -> int:
    """Note deletions as they come until `stop` is set, within a second; return how many posts died.

    With `compact_s`, what died has left the corpus's files so many seconds later. `tell` gets (mark, dead).

    Raises:
        InvalidInput: there is no corpus, or the archive ends before what it was built from.
    """
    fold, num_dead = _open(directory, archive), 0
    compact_at_s = _compact_at_s(fold, compact_s)
    while True:
        if fold.mark < archive.last_seq:
            died = _note_batch(fold, archive)
            num_dead += died
            if died and compact_s is not None:
                compact_at_s = min(compact_at_s, time.time() + compact_s)
            if tell:
                tell(fold.mark, num_dead)
        elif not stop.is_set():
            archive.wait(fold.mark, _POLL_S)
        if time.time() >= compact_at_s:
            compact_corpus(directory)
            compact_at_s = _compact_at_s(fold, compact_s)
        if stop.is_set():
            return num_dead


def _open(directory: Path | str, archive: EventLog) -> DeletionFold:
    fold = DeletionFold(directory)
    if archive.last_seq < fold.mark:
        raise InvalidInput(
            f"the archive ends with event {archive.last_seq:,}, but corpus {str(directory)!r} has seen event "
            f"{fold.mark:,}; name the archive that it was built from"
        )
    return fold


def _note_batch(fold: DeletionFold, archive: EventLog) -> int:
    mark = fold.mark
    position = min(archive.last_seq, mark + _BATCH)
    return fold.note(archive.read(mark, position - mark), position)


def _compact_at_s(fold: DeletionFold, compact_s: float | None) -> float:
    oldest_us = fold.oldest_us() if compact_s is not None else None
    return math.inf if compact_s is None or oldest_us is None else oldest_us / US_PER_S + compact_s


def collect(events: Iterable[tuple[int, Event]]) -> Wanted:
    """Return the posts and authors that events take away, by key, each with the last event that does."""
    wanted: Wanted = {}
    for seq, event in events:
        if isinstance(event, Deletion):
            wanted[key_of(event.id)] = (seq, 0)
        elif isinstance(event, Edit):
            wanted[key_of(event.replaces)] = wanted[key_of(event.post.id)] = (seq, 1)
        elif isinstance(event, AccountEvent) and event.status in _GONE:
            wanted[key_of(event.author)] = (seq, 2)
        elif isinstance(event, ConsentEvent) and event.scope in _CONSENTS and not _allows(event):
            wanted[key_of(event.author)] = (seq, 3)
    return wanted


def read_deleted(directory: Path | str, corpus_id: str) -> np.ndarray:
    """Return the log of a corpus as rows of `RECORD`, in the order in which they were noted."""
    path = log_path(Path(directory), corpus_id)
    data = path.read_bytes() if path.exists() else b""
    rows = np.frombuffer(data[: len(data) // RECORD.itemsize * RECORD.itemsize], RECORD)
    return rows[rows["seq"] > 0]


def log_path(directory: Path, corpus_id: str) -> Path:
    """Tell where the log of a corpus lies; it outlives the corpus, since models were trained on it."""
    return directory / f"deleted-{corpus_id}.log"


def _allows(event: ConsentEvent) -> bool:
    return event.allow is True if event.scope == "corpus" else event.allow is not False
