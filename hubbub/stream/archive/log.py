"""The archive: an append-only log of events with sequence numbers, cursors, one writer and many readers.

Files of a directory: `00000000000000000001.log` and so on (`segment.py`, `frame.py` describe every byte),
`*.facts` beside finished ones (`facts.py`, can be thrown away), `writer.lock`, `*.marks` (`marks.py`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

from hubbub.disk import refusals
from hubbub.errors import HubbubError, InvalidInput, StorageError
from hubbub.posts import Cursor, Event
from hubbub.stream.archive.compaction import CompactionReport, Compactor
from hubbub.stream.archive.damage import Repair
from hubbub.stream.archive.erasure import erases
from hubbub.stream.archive.lock import WriterLock
from hubbub.stream.archive.marks import STAGES, Marks
from hubbub.stream.archive.reader import Reader, describe_absence
from hubbub.stream.archive.writer import Writer
from hubbub.units import now_us

SEGMENT_BYTES = 32 << 20
"""A file this long is finished; erasing one post rewrites one file, about a second's work."""

_RETRY_S = 0.5
"""After a refused sync of its own accord the next one comes so much later."""
_POLL_MIN_S, _POLL_MAX_S = 0.001, 0.004
"""A waiting reader of another process looks this often: two system calls, some 5 us, a look."""


class Archive:
    """A log opened by `open_archive`; safe for several threads; close it, or use it in a `with` block."""

    def __init__(self, directory: Path, *, is_writer: bool, flush_ms: int, segment_bytes: int) -> None:
        self.directory = directory
        self._flush_s = flush_ms / 1000
        self._is_closed = threading.Event()
        self._changed = threading.Condition()
        self._lock: WriterLock | None = None
        self._writer: Writer | None = None
        self._compactor: Compactor | None = None
        self._flusher: threading.Thread | None = None
        self._reader = Reader(directory)
        if is_writer:
            self._open_writer(segment_bytes)
        else:
            self._reader.last_seq()

    def _open_writer(self, segment_bytes: int) -> None:
        with refusals("create the archive directory", self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = WriterLock(self.directory)
        try:
            self._writer = Writer(
                self.directory, segment_bytes=segment_bytes, was_same_boot=self._lock.was_same_boot
            )
        except BaseException:
            self._lock.release()
            raise
        for stage in STAGES:
            Marks(self.directory, stage).cut(self._writer.next_seq - 1)
        self._marks = Marks(self.directory, "archived")
        self._marks_lock = threading.Lock()
        if self._marks.last_seq:  # what came between the last mark and a kill -9
            self._marks.note(1, self._writer.next_seq - 1, now_us())
        self._compactor = Compactor(self.directory, self._writer)
        self._dirty = threading.Event()
        self._flusher = threading.Thread(target=self._keep_flushing, name="archive flush", daemon=True)
        self._flusher.start()

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    @property
    def repair(self) -> Repair | None:
        """What opening for writing had to cut off, if anything."""
        return self._writer.repair if self._writer else None

    @property
    def last_seq(self) -> int:
        """The sequence number of the newest event, 0 in an empty archive."""
        return self._writer.next_seq - 1 if self._writer else self._reader.last_seq()

    def append(self, events: Sequence[Event], cursors: Mapping[str, Cursor] | None = None) -> range:
        """Append a batch and the cursors that belong to it, both or neither, and return its sequence numbers.

        On return the batch survives kill -9, and power loss after `flush_ms`.

        Raises:
            InvalidEvent: an event cannot be stored, such as half of a surrogate pair; nothing was written.
            StorageError: the disk refused; nothing was written, and a later append may succeed.
        """
        if any(map(erases, events)):
            with self._marks_lock:  # marks rise
                seqs = self._writing().append(events, cursors or {})
                self._marks.note(seqs[0], seqs[-1], now_us())
        else:
            seqs = self._writing().append(events, cursors or {})
        self._dirty.set()
        with self._changed:
            self._changed.notify_all()
        return seqs

    def flush(self) -> None:
        """Return once everything appended so far survives power loss.

        Raises:
            StorageError: the disk refused.
        """
        self._writing().sync()

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[tuple[int, Event]]:
        """Iterate (seq, event) with seq > `after` in order, up to what is there now.

        Every sequence number comes up, without gaps; an erased post comes up blank.

        Raises:
            Corruption: the log is damaged; the message names file, byte and sequence number.
        """
        last_seq = self.last_seq
        if limit is not None:
            last_seq = min(last_seq, after + limit)
        return self._reader.read(max(after, 0), last_seq)

    def wait(self, after: int, timeout_s: float) -> bool:
        """Return True as soon as an event with seq > `after` exists, False when time ran out or on close.

        Wakes at once in the writing process, within about 4 ms in others.
        """
        if self._writer:
            with self._changed:
                self._changed.wait_for(lambda: self.last_seq > after or self._is_closed.is_set(), timeout_s)
            return self.last_seq > after
        deadline_s = time.monotonic() + timeout_s
        pause_s = _POLL_MIN_S
        while self.last_seq <= after:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or self._is_closed.wait(min(pause_s, left_s)):
                return self.last_seq > after
            pause_s = min(pause_s * 1.1, _POLL_MAX_S)
        return True

    def cursor(self, source: str) -> Cursor | None:
        """Return how far a source was read, as of the newest event; reads the last file if not the writer."""
        if self._writer:
            return self._writer.cursors.get(source)
        return self._reader.cursors().get(source)

    def compact(self, now_us: int) -> CompactionReport:
        """Remove from disk the text of all posts that are deleted, replaced, or refused by their authors.

        Call it every few minutes from a thread of the writing process; `erasure.py` says what goes and what
        is left. Readers and appends wait for at most some tens of milliseconds. `now_us` is only reported.

        Raises:
            Corruption: a file of the log is damaged; it is left as it is.
            StorageError: the disk refused; the file at hand is left as it is.
        """
        self._writing()
        assert self._compactor
        return self._compactor.compact(now_us)

    def close(self) -> None:
        """Sync and let the next writer in; safe to call twice."""
        if self._is_closed.is_set():
            return
        self._is_closed.set()
        with self._changed:
            self._changed.notify_all()
        if self._writer and self._lock and self._flusher:
            self._dirty.set()
            self._flusher.join()
            try:
                self._writer.close()
                if self._marks.last_seq:
                    self._marks.note(self.last_seq, self.last_seq, now_us())
            finally:
                self._lock.release()

    def _writing(self) -> Writer:
        if self._writer is None:
            raise InvalidInput(f"archive {str(self.directory)!r} is open for reading; open it with mode 'w'")
        if self._is_closed.is_set():
            raise InvalidInput(f"archive {str(self.directory)!r} is closed; open it again")
        return self._writer

    def _keep_flushing(self) -> None:
        """Sync at most `flush_ms` after the first unsynced append, once for all that came until then."""
        while not self._is_closed.is_set():
            self._dirty.wait()
            if self._is_closed.wait(self._flush_s):
                return
            self._dirty.clear()
            try:
                self._writing().sync()
            except HubbubError:  # the next append or flush meets it too
                self._is_closed.wait(_RETRY_S)
                self._dirty.set()


def open_archive(
    path: str | Path, mode: Literal["w", "r"] = "w", flush_ms: int = 1000, segment_bytes: int = SEGMENT_BYTES
) -> Archive:
    """Open an archive directory for writing (one process, made if missing) or for reading (any number).

    `flush_ms`: an acknowledged event survives power loss after at most this many milliseconds.
    `segment_bytes`: a file of the log is finished at this length.

    Raises:
        Corruption: the log is damaged; the message names file, byte and sequence number.
        InUse: another process writes it; the message names its pid.
        StorageError: the disk refused, or there is nothing to read.
        VersionMismatch: a newer hubbub wrote it.
    """
    if mode not in ("w", "r"):
        raise InvalidInput(f"mode {mode!r} is not known; 'w' writes and reads, 'r' reads")
    if flush_ms < 0:
        raise InvalidInput(f"flush_ms {flush_ms} is negative; give 0 or more milliseconds")
    directory = Path(path)
    if mode == "r" and not directory.is_dir():
        raise StorageError(describe_absence(directory))
    return Archive(directory, is_writer=mode == "w", flush_ms=flush_ms, segment_bytes=segment_bytes)
