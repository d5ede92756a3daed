"""Appends frames to the newest segment and sees to their reaching the disk in time; one writer at a time."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hubbub.disk import describe_refusal, refusals, write_all
from hubbub.errors import StorageError
from hubbub.posts import Cursor, Event
from hubbub.stream.archive.damage import Repair, check_is_torn
from hubbub.stream.archive.frame import CursorTrail, encode_frame
from hubbub.stream.archive.segment import (
    TEMPORARY,
    FrameWalk,
    check_head,
    create_segment,
    list_segments,
    open_segment,
    segment_path,
)

_COMPLETE_EVERY_BYTES = 2 * 1024 * 1024
"""So often a frame repeats the cursors of all sources: an opening need not inflate what is before."""

_log = logging.getLogger(__name__)


class Writer:
    """The appending end of a log; the caller holds the directory's lock."""

    def __init__(self, directory: Path, *, segment_bytes: int, was_same_boot: bool) -> None:
        """Open the newest segment, cutting off an unfinished write.

        Raises:
            Corruption: an acknowledged frame of the newest segment is damaged.
            StorageError: the disk refused.
            VersionMismatch: a newer hubbub wrote the directory.
        """
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._failure: str | None = None
        self._is_half_written = False
        self.lock = threading.RLock()
        """Held while the newest segment changes; compaction takes it to put a smaller file in its place."""
        self.repair: Repair | None = None
        with refusals("open the archive", directory):
            for leftover in directory.glob(f"*{TEMPORARY}"):
                leftover.unlink()
            if not list_segments(directory):
                create_segment(directory, 1, {})
            self.segments = list_segments(directory)
            for first_seq in self.segments[:-1]:
                os.close(open_segment(segment_path(directory, first_seq)))
            self._open_newest(was_same_boot)

    def _open_newest(self, was_same_boot: bool) -> None:
        self.path = segment_path(self._directory, self.segments[-1])
        self._fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        check_head(self._fd, self.path)
        walk = FrameWalk(self._fd)
        trail = CursorTrail()
        self.next_seq = self.segments[-1]
        self._marked_bytes = 0
        """Up to here damage is known as damage in any boot: a frame behind it says that it was synced."""
        for at, frame, payload in walk.frames():
            self.next_seq = frame.next_seq
            is_mark = frame.has_all_cursors and not frame.num_events and frame.synced_bytes in (0, at)
            self._marked_bytes = walk.offset if is_mark else 0
            trail.add(frame, payload)
        self.cursors = trail.read()
        if walk.damage:
            self._cut(walk, was_same_boot)
        self.end_bytes = walk.offset
        os.fsync(self._fd)
        os.lseek(self._fd, self.end_bytes, os.SEEK_SET)
        self._synced_bytes = self.end_bytes
        self._complete_bytes = 0

    def _cut(self, walk: FrameWalk, was_same_boot: bool) -> None:
        check_is_torn(walk, self.path, seq=self.next_seq, is_same_boot=was_same_boot)
        surplus = os.fstat(self._fd).st_size - walk.offset
        os.ftruncate(self._fd, walk.offset)
        self.repair = Repair(
            path=str(self.path),
            offset=walk.offset,
            num_bytes=surplus,
            next_seq=self.next_seq,
            reason=walk.damage,
        )
        _log.warning("cut off an unfinished write: %s", self.repair)

    def append(self, events: Sequence[Event], cursors: Mapping[str, Cursor]) -> range:
        """Write one frame; on return it is the kernel's, so that it survives the death of this process.

        Raises:
            InvalidEvent: an event cannot be stored; nothing was written.
            StorageError: the disk refused; nothing was written, and a later append may succeed.
        """
        with self.lock:
            self._check_usable()
            if self.end_bytes >= self._segment_bytes:
                self._roll()
            after = {**self.cursors, **cursors}
            is_due = self.end_bytes - self._complete_bytes >= _COMPLETE_EVERY_BYTES
            self._add_frame(events, after if is_due else cursors, has_all_cursors=is_due)
            seqs = range(self.next_seq, self.next_seq + len(events))
            self.next_seq = seqs.stop
            self.cursors = after
            return seqs

    def _add_frame(
        self, events: Sequence[Event], cursors: Mapping[str, Cursor], *, has_all_cursors: bool
    ) -> None:
        at = self.end_bytes
        data = encode_frame(
            events, cursors, self.next_seq, self._synced_bytes, has_all_cursors=has_all_cursors
        )
        self._write(data)
        if has_all_cursors:
            self._complete_bytes = at

    def _write(self, data: bytes) -> None:
        try:
            write_all(self._fd, data)
        except OSError as error:
            self._is_half_written = True
            self._undo()
            raise StorageError(describe_refusal("append to", self.path, error)) from error
        self.end_bytes += len(data)

    def _undo(self) -> None:
        """Cut off what a refused write left; where even that fails, the next append tries again first."""
        with refusals("undo a half-written append to", self.path):
            os.ftruncate(self._fd, self.end_bytes)
            os.lseek(self._fd, self.end_bytes, os.SEEK_SET)
        self._is_half_written = False

    def _check_usable(self) -> None:
        if self._failure:
            raise StorageError(self._failure)
        if self._is_half_written:
            self._undo()

    def _roll(self) -> None:
        """Go on in a new segment; the old one is synced first, so that only the newest can be torn."""
        self.sync()
        with refusals("begin a new archive file in", self._directory):
            path = create_segment(self._directory, self.next_seq, self.cursors)
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.segments.append(self.next_seq)
        self._adopt(fd, path)

    def _adopt(self, fd: int, path: Path) -> None:
        os.close(self._fd)
        self._fd, self.path = fd, path
        self.end_bytes = self._synced_bytes = os.lseek(fd, 0, os.SEEK_END)
        self._complete_bytes = self._marked_bytes = 0

    def replace_newest(self, fd: int, temporary: Path) -> None:
        """Put a synced file in the place of the newest segment and go on in it; the lock is held."""
        os.replace(temporary, self.path)
        self._adopt(fd, self.path)

    def sync(self) -> None:
        """Return once everything appended so far survives power loss.

        Raises:
            StorageError: the disk refused; what it holds is unknown, so appending stops until reopened.
        """
        with self.lock:
            self._check_usable()
            if self._synced_bytes == self.end_bytes:
                return
            with refusals("sync", self.path):
                fd, path, end_bytes = os.dup(self._fd), self.path, self.end_bytes
        try:
            os.fsync(fd)
            with self.lock:
                if os.path.sameopenfile(self._fd, fd):
                    self._synced_bytes = max(self._synced_bytes, end_bytes)
        except OSError as error:
            self._failure = describe_refusal("sync", path, error) + "; then open the archive again"
            raise StorageError(self._failure) from error
        finally:
            os.close(fd)

    def close(self) -> None:
        """Sync, mark the end as synced, and close."""
        with self.lock:
            try:
                if self._failure is None and self._marked_bytes != self.end_bytes:
                    self.sync()
                    # Behind this mark, damage to the last events is known as damage, not as a torn tail.
                    # Without room for the mark nothing is lost but that distinction.
                    with suppress(StorageError):
                        self._add_frame([], self.cursors, has_all_cursors=True)
            finally:
                os.close(self._fd)
