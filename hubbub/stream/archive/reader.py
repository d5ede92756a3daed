"""Reads the log from any position while another process writes it; it changes nothing on disk."""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from hubbub.disk import refusals
from hubbub.errors import StorageError
from hubbub.posts import Cursor, Event
from hubbub.stream.archive.damage import check_is_torn, raise_corruption
from hubbub.stream.archive.frame import Block, CursorTrail, Frame, decode_block
from hubbub.stream.archive.lock import is_same_boot
from hubbub.stream.archive.segment import FrameWalk, list_segments, open_segment, read_identity, segment_path

_MAX_PLACES = 64
"""Remembered places: one for each reader that comes back for more, with room to spare."""


class _Place(NamedTuple):
    """Where the frame of a sequence number begins, valid as long as the file is the same one."""

    segment: int
    identity: bytes
    offset: int


class OpenSegment:
    """A segment held open by one reader; it notices when compaction has put another file in its place."""

    def __init__(self, directory: Path, first_seq: int) -> None:
        self.first_seq = first_seq
        self.path = segment_path(directory, first_seq)
        with refusals("open the archive file", self.path):
            self.fd = open_segment(self.path)
        self._inode = os.fstat(self.fd).st_ino
        self.identity = read_identity(self.fd)
        self.walk = FrameWalk(self.fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)

    def is_replaced(self) -> bool:
        """Whether the name now belongs to another file."""
        try:
            # Its number is not used again while we hold the file open.
            return os.stat(self.path).st_ino != self._inode
        except FileNotFoundError:
            return True

    def seek(self, seq: int) -> None:
        """Go to the frame that holds `seq`, or to the end if none does."""
        walk = FrameWalk(self.fd)
        for offset, frame in walk.headers():
            if frame.next_seq > seq:
                self.walk = FrameWalk(self.fd, offset)
                return
        self.walk = FrameWalk(self.fd, walk.offset)

    def decode(self, at: int, frame: Frame, payload: memoryview) -> Block:
        """Decode the payload of the frame at an offset; raises Corruption."""
        try:
            block = decode_block(frame, payload)
        except msgspec.DecodeError as error:
            raise_corruption(self.path, at, frame.first_seq, f"its events cannot be decoded ({error})")
        if len(block.events) != frame.num_events:
            told = f"{len(block.events)} events, not {frame.num_events}"
            raise_corruption(self.path, at, frame.first_seq, told)
        return block


class Reader:
    """Iterates events and finds the end of the log; safe for several threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._places: OrderedDict[int, _Place] = OrderedDict()
        self._lock = threading.Lock()
        self._end = _End(directory)

    def last_seq(self) -> int:
        """Look on disk for the last whole frame; costs two system calls when nothing is new."""
        with self._lock:
            return self._end.refresh()

    def cursors(self) -> dict[str, Cursor]:
        """Collect the newest cursor of every source, at the cost of reading the last segment."""
        trail = CursorTrail()
        opened = OpenSegment(self._directory, list_segments(self._directory)[-1])
        try:
            for _, frame, payload in opened.walk.frames():
                trail.add(frame, payload)
        finally:
            opened.close()
        return trail.read()

    def read(self, after: int, last_seq: int) -> Iterator[tuple[int, Event]]:
        """Yield the events with after < seq <= last_seq, in order.

        Raises:
            Corruption: a frame is damaged; the message names file, byte and sequence number.
        """
        wanted = after + 1
        for first_seq, block in self._blocks(wanted, last_seq):
            events = block.events
            # Compaction joins frames, so that a later one, too, may begin before what is wanted.
            skip, stop = wanted - first_seq, last_seq + 1 - first_seq
            if skip or stop < len(events):
                events = events[skip:stop]
            yield from enumerate(events, wanted)
            wanted += len(events)

    def _blocks(self, wanted: int, last_seq: int) -> Iterator[tuple[int, Block]]:
        """Yield (first_seq, block) of the frames from the one that holds `wanted` on."""
        if wanted > last_seq:
            return
        opened = self._open_at(wanted)
        try:
            while wanted <= last_seq:
                if opened.is_replaced():
                    replaced, opened = opened, self._open_segment(opened.first_seq, wanted)
                    replaced.close()
                found = self._next_frame(opened, wanted)
                if found is None:
                    following = self._open_following(opened, wanted)
                    if following is None:
                        return
                    opened.close()
                    opened = following
                    continue
                at, frame, payload = found
                if frame.next_seq <= wanted:
                    continue
                if frame.first_seq > wanted:
                    raise_corruption(opened.path, at, wanted, f"it goes on with seq {frame.first_seq}")
                # Remembered before the events are handed out: a reader may leave in the middle of them.
                is_last = frame.next_seq > last_seq + 1
                place = _Place(opened.first_seq, opened.identity, at if is_last else opened.walk.offset)
                self._remember(min(frame.next_seq, last_seq + 1), place)
                yield frame.first_seq, opened.decode(at, frame, payload)
                wanted = frame.next_seq
        finally:
            opened.close()

    def _next_frame(self, opened: OpenSegment, wanted: int) -> tuple[int, Frame, memoryview] | None:
        """Return the next frame, or None at the end of the file or before an unfinished write."""
        for _ in range(2):
            walk = opened.walk
            for found in walk.frames():
                return found
            if not walk.damage:
                return None
            # A frame that was being written a moment ago may be whole now.
            opened.walk = FrameWalk(opened.fd, walk.offset)
        if not opened.is_replaced():
            if opened.first_seq != list_segments(self._directory)[-1]:
                raise_corruption(opened.path, walk.offset, wanted, walk.damage)
            check_is_torn(walk, opened.path, seq=wanted, is_same_boot=is_same_boot(self._directory))
        return None

    def _open_following(self, opened: OpenSegment, wanted: int) -> OpenSegment | None:
        """Open where the log goes on, or return None at its end."""
        if opened.is_replaced():
            return self._open_segment(opened.first_seq, wanted)
        path = segment_path(self._directory, wanted)
        if wanted != opened.first_seq and path.exists():
            return OpenSegment(self._directory, wanted)
        later = [first for first in list_segments(self._directory) if first > opened.first_seq]
        if later:
            reason = f"the file is missing, or {opened.path.name} is cut short"
            raise_corruption(path, 0, wanted, f"{reason}; the next one begins with seq {later[0]}")
        return None

    def _open_at(self, wanted: int) -> OpenSegment:
        with self._lock:
            place = self._places.get(wanted)
        if place:
            opened = OpenSegment(self._directory, place.segment)
            if opened.identity == place.identity:
                opened.walk = FrameWalk(opened.fd, place.offset)
                return opened
        else:
            segments = list_segments(self._directory)
            index = bisect_right(segments, wanted) - 1
            if index < 0:
                path = segment_path(self._directory, wanted)
                raise_corruption(path, 0, wanted, "the first file of the archive is missing")
            return self._open_segment(segments[index], wanted)
        opened.seek(wanted)
        return opened

    def _open_segment(self, first_seq: int, wanted: int) -> OpenSegment:
        opened = OpenSegment(self._directory, first_seq)
        opened.seek(wanted)
        return opened

    def _remember(self, seq: int, place: _Place) -> None:
        with self._lock:
            self._places[seq] = place
            self._places.move_to_end(seq)
            while len(self._places) > _MAX_PLACES:
                self._places.popitem(last=False)


def describe_absence(directory: Path) -> str:
    """Say that there is no archive to read."""
    return f"no archive in {str(directory)!r}; fill one with `hubbub follow`, or choose another directory"


class _End:
    """Follows the end of the log by the state of its last file."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._segment = 0
        self._seen = (-1, -1, -1)
        self._identity = b""
        self._offset = 0
        self._next_seq = 0

    def refresh(self) -> int:
        if not self._segment:
            segments = list_segments(self._directory)
            if not segments:
                raise StorageError(describe_absence(self._directory))
            self._segment = self._next_seq = segments[-1]
        while True:
            self._walk()
            following = segment_path(self._directory, self._next_seq)
            if self._next_seq == self._segment or not following.exists():
                return self._next_seq - 1
            self._segment, self._seen = self._next_seq, (-1, -1, -1)

    def _walk(self) -> None:
        path = segment_path(self._directory, self._segment)
        with refusals("look at the archive file", path):
            status = os.stat(path)
        if _look(status) == self._seen:
            return
        opened = OpenSegment(self._directory, self._segment)
        try:
            if opened.identity == self._identity:
                opened.walk = FrameWalk(opened.fd, self._offset)
            for _, frame in opened.walk.headers():
                self._next_seq = frame.next_seq
            self._offset = opened.walk.offset
            self._identity = opened.identity
            self._seen = _look(status)
            if opened.walk.damage:
                same_boot = is_same_boot(self._directory)
                check_is_torn(opened.walk, path, seq=self._next_seq, is_same_boot=same_boot)
        finally:
            opened.close()


def _look(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns
