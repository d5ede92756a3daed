"""Rewrites the files of the log that hold text that must go; readers and the writer carry on meanwhile.

A file is written anew beside the old one, synced, and renamed over it: at every moment exactly one whole file
has the name. A reader notices the new file before its next frame. The newest file is rewritten like the
others, only that the last part of it, what was appended meanwhile, is copied while the writer waits.
Erased text has then left the archive's files; blocks that the file system freed are its own affair.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hubbub.disk import read_at, refusals, sync_directory, write_all
from hubbub.posts import Cursor, Event
from hubbub.stream.archive.damage import raise_corruption
from hubbub.stream.archive.erasure import Erasures, blank, is_blank
from hubbub.stream.archive.facts import Facts, collect_facts, has_work, read_facts, write_facts
from hubbub.stream.archive.frame import Frame, encode_frame
from hubbub.stream.archive.marks import Marks
from hubbub.stream.archive.reader import OpenSegment
from hubbub.stream.archive.segment import SUFFIX, TEMPORARY, encode_head, segment_path
from hubbub.stream.archive.writer import Writer

_BLOCK_EVENTS = 256
"""Small frames are joined up to this size on the way."""
_BREATH_S = 0.0005
"""After so many events other threads get this long, so that nobody waits for the interpreter."""
_TAIL_BYTES = 1 << 18
"""The writer may have to wait while this much is copied and synced."""


class CompactionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a compaction did."""

    now_us: int
    num_erased: int = 0
    """Events that lost their text."""
    num_files: int = 0
    """Files that were written anew."""
    freed_bytes: int = 0
    took_s: float = 0.0


class Compactor:
    """Compacts one directory; one compaction at a time, in the writing process."""

    def __init__(self, directory: Path, writer: Writer) -> None:
        self._directory = directory
        self._writer = writer
        self._lock = threading.Lock()
        self._done_at = (-1, -1)
        self._marks = Marks(directory, "erased")

    def compact(self, now_us: int) -> CompactionReport:
        """Erase what must go by now; quick when nothing was appended since the last time.

        Raises:
            Corruption: a file of the log is damaged; it is left as it is.
            StorageError: the disk refused; the file at hand is left as it is.
        """
        began_s = time.monotonic()
        with self._lock:
            state = (self._writer.next_seq, self._writer.segments[-1])
            if state == self._done_at:
                return CompactionReport(now_us=now_us)
            segments = list(self._writer.segments)
            newest = self._facts_of(segments[-1])
            # What is appended from here on is rewritten with the rest, but not judged by half its story: an
            # author who was removed may be back already.
            erasures = self._collect(segments, newest, horizon=state[0] - 1)
            post_keys, author_keys = erasures.post_keys(), erasures.author_keys()
            num_erased = num_files = freed_bytes = 0
            for first_seq in segments:
                facts = newest if first_seq == segments[-1] else self._facts_of(first_seq)
                if has_work(facts, erasures, post_keys, author_keys):
                    erased, freed = _Rewrite(self._directory, first_seq, self._writer, erasures).run()
                    num_erased, num_files, freed_bytes = (
                        num_erased + erased,
                        num_files + 1,
                        freed_bytes + freed,
                    )
            self._done_at = state
            self._marks.note(1, state[0] - 1, time.time_ns() // 1000)
        return CompactionReport(
            now_us=now_us,
            num_erased=num_erased,
            num_files=num_files,
            freed_bytes=freed_bytes,
            took_s=time.monotonic() - began_s,
        )

    def _collect(self, segments: list[int], newest: Facts, horizon: int) -> Erasures:
        erasures = Erasures(horizon)
        for first_seq in segments:
            facts = newest if first_seq == segments[-1] else self._facts_of(first_seq)
            for seq, event in facts.controls:
                erasures.note(seq, event)
        return erasures

    def _facts_of(self, first_seq: int) -> Facts:
        """Read a finished file's facts, making them where they are missing; the newest file keeps none."""
        path = segment_path(self._directory, first_seq)
        is_finished = first_seq != self._writer.segments[-1]
        facts = read_facts(path) if is_finished else None
        if facts is None:
            facts = collect_facts(_read_events(self._directory, first_seq, self._writer))
            if is_finished:
                write_facts(path, facts)
        return facts


def _read_events(directory: Path, first_seq: int, writer: Writer) -> Iterator[tuple[int, Event]]:
    opened = OpenSegment(directory, first_seq)
    try:
        for at, frame, payload in _read_frames(opened, _find_end(opened, writer)):
            yield from enumerate(opened.decode(at, frame, payload).events, frame.first_seq)
    finally:
        opened.close()


def _find_end(opened: OpenSegment, writer: Writer) -> int:
    """Tell up to where a file is written by now."""
    with writer.lock:
        is_newest = opened.first_seq == writer.segments[-1]
        return writer.end_bytes if is_newest else os.fstat(opened.fd).st_size


def _read_frames(opened: OpenSegment, end_bytes: int) -> Iterator[tuple[int, Frame, memoryview]]:
    """Walk the frames up to a known end, letting others work in between; raises Corruption."""
    num_events = 0
    for at, frame, payload in opened.walk.frames():
        yield at, frame, payload
        if opened.walk.offset >= end_bytes:
            return
        num_events += frame.num_events
        if num_events >= _BLOCK_EVENTS:
            num_events = 0
            time.sleep(_BREATH_S)
    if opened.walk.offset < end_bytes:
        seq, reason = opened.first_seq, opened.walk.damage or "it is shorter than it was"
        raise_corruption(opened.path, opened.walk.offset, seq, reason)


class _Rewrite:
    """One file written anew without what must go."""

    def __init__(self, directory: Path, first_seq: int, writer: Writer, erasures: Erasures) -> None:
        self._directory = directory
        self._first_seq = first_seq
        self._writer = writer
        self._erasures = erasures
        self._events: list[Event] = []
        self._cursors: dict[str, Cursor] = {}
        self._next_seq = first_seq
        self._num_bytes = 0
        self._num_old_bytes = 0
        """So much of the old file has been taken over."""
        self._num_erased = 0
        self._is_adopted = False

    def run(self) -> tuple[int, int]:
        """Rewrite the file; return how many events were erased and how many bytes it is shorter."""
        self._path = segment_path(self._directory, self._first_seq)
        temporary = self._path.with_suffix(SUFFIX + TEMPORARY)
        opened = OpenSegment(self._directory, self._first_seq)
        try:
            with refusals("rewrite", self._path):
                self._fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
                try:
                    self._copy(opened)
                    self._catch_up(opened)
                    self._swap(opened, temporary)
                finally:
                    if not self._is_adopted:
                        os.close(self._fd)
                    temporary.unlink(missing_ok=True)
        finally:
            opened.close()
        if self._first_seq != self._writer.segments[-1]:
            write_facts(
                self._path, collect_facts(_read_events(self._directory, self._first_seq, self._writer))
            )
        return self._num_erased, self._num_old_bytes - self._num_bytes

    def _copy(self, opened: OpenSegment) -> None:
        """Copy all frames that are there now, erasing."""
        self._write(encode_head(self._first_seq))
        for at, frame, payload in _read_frames(opened, _find_end(opened, self._writer)):
            block = opened.decode(at, frame, payload)
            self._events += map(self._erase, range(frame.first_seq, frame.next_seq), block.events)
            self._cursors |= block.cursors
            while len(self._events) >= _BLOCK_EVENTS:
                self._write_block(_BLOCK_EVENTS)
        self._write_block(len(self._events))
        self._num_old_bytes = opened.walk.offset

    def _catch_up(self, opened: OpenSegment) -> None:
        """Take over what was appended meanwhile, as it is, until little is left."""
        while _find_end(opened, self._writer) - self._num_old_bytes > _TAIL_BYTES:
            self._take_over(opened, _find_end(opened, self._writer))
        os.fsync(self._fd)

    def _take_over(self, opened: OpenSegment, end_bytes: int) -> None:
        self._write(read_at(opened.fd, end_bytes - self._num_old_bytes, self._num_old_bytes))
        self._num_old_bytes = end_bytes

    def _erase(self, seq: int, event: Event) -> Event:
        if not self._erasures.takes(seq, event) or is_blank(event):
            return event
        self._num_erased += 1
        return blank(event)

    def _write_block(self, num_events: int) -> None:
        """Write the first events that wait; their cursors only with the last of them."""
        events, self._events = self._events[:num_events], self._events[num_events:]
        cursors = {} if self._events else self._cursors
        # Everything before a frame is synced here, since the file gets its name only after a sync.
        self._write(encode_frame(events, cursors, self._next_seq, self._num_bytes))
        self._next_seq += len(events)

    def _write(self, data: bytes) -> None:
        write_all(self._fd, data)
        self._num_bytes += len(data)

    def _swap(self, opened: OpenSegment, temporary: Path) -> None:
        """Put the new file, with the last of the old one, in its place."""
        with self._writer.lock:
            end_bytes = _find_end(opened, self._writer)
            if end_bytes > self._num_old_bytes:
                self._take_over(opened, end_bytes)
                os.fsync(self._fd)
            if self._first_seq == self._writer.segments[-1]:
                self._writer.replace_newest(self._fd, temporary)
                self._is_adopted = True
            else:
                os.replace(temporary, self._path)
            sync_directory(self._directory)
