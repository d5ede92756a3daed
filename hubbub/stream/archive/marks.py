"""When something was done with which events of the log: one file of marks a stage, without ids and texts.

A mark says that one stage was over, at a time, for the events from one number to another. The stages go
through the log in order, so an event before the last mark is done, also where no mark tells when: a crash can
cost a time, never the truth. Of old marks all those of one second become one, with the latest of their times.
"""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from hubbub.stream.archive.records import MAX_BYTES, Record, RecordFile, read_records
from hubbub.units import US_PER_S

Stage = Literal["archived", "gone", "cleared", "erased"]
"""In the log; out of the index's results; text off the index's files; text off the log's files."""
STAGES: tuple[Stage, ...] = get_args(Stage)


class Mark(NamedTuple):
    """One stage was over for these events at that time, of our clock."""

    first_seq: int
    last_seq: int
    at_us: int


class Marks:
    """The marks of one stage as the process writes that goes through it."""

    def __init__(self, archive: Path, stage: Stage, max_bytes: int = MAX_BYTES) -> None:
        self._path = path_of(archive, stage)
        self._file = RecordFile(self._path, _thin, max_bytes)

    @property
    def last_seq(self) -> int:
        """Up to which event the stage is known to be over."""
        return self._file.last[1] if self._file.last else 0

    def note(self, first_seq: int, last_seq: int, at_us: int) -> None:
        """Mark a stage as over; what was marked before keeps its time."""
        first_seq = max(first_seq, self.last_seq + 1)
        if first_seq <= last_seq:
            self._file.append((first_seq, last_seq, at_us))

    def cut(self, last_seq: int) -> None:
        """Forget what was done with events beyond this one: power loss took them, others get the numbers."""
        if self.last_seq > last_seq:
            kept = [record for record in read_records(self._path) if record[0] <= last_seq]
            self._file.replace([(first, min(last, last_seq), at_us) for first, last, at_us in kept])


class MarkTable:
    """The marks of one stage, read."""

    def __init__(self, archive: Path, stage: Stage) -> None:
        self.marks = [Mark(*record) for record in read_records(path_of(archive, stage))]
        self._last_seqs = [mark.last_seq for mark in self.marks]

    @property
    def last_seq(self) -> int:
        """Up to which event the stage is known to be over."""
        return self._last_seqs[-1] if self._last_seqs else 0

    def find(self, seq: int) -> int | None:
        """Return when the stage was over for an event; None if it is not, or nobody knows when."""
        place = bisect_left(self._last_seqs, seq)
        return (
            self.marks[place].at_us
            if place < len(self.marks) and self.marks[place].first_seq <= seq
            else None
        )

    def after(self, seq: int) -> Mark | None:
        """Return the first mark that goes beyond an event."""
        place = bisect_left(self._last_seqs, seq + 1)
        return self.marks[place] if place < len(self.marks) else None


def path_of(archive: Path, name: str) -> Path:
    """Tell where records about an archive's events lie."""
    return archive / f"{name}.marks"


def _thin(records: list[Record]) -> list[Record]:
    """Join those of one second in the older half; a joint mark keeps the latest time: none gets too early."""
    half = len(records) // 2
    joined: list[Record] = []
    for first_seq, last_seq, at_us in records[:half]:
        if joined and joined[-1][2] // US_PER_S == at_us // US_PER_S:
            first_seq = joined.pop()[0]
        joined.append((first_seq, last_seq, at_us))
    return joined + records[half:]
