"""What lies on the disk between the steps of a build: the files of one run of buckets, and a cleaned post.

`.spill` its posts; `.exact`, `.near` who may be a copy of whom; `.pairs`, `.columns` what that is decided by;
`.json`, the last to be written, what became of all others.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from hubbub.corpus.duplicates import Pairs
from hubbub.corpus.spill import SpillReader

ENTRY = np.dtype([("hash", "<u8"), ("row", "<u4")])
"""A post in a bucket of those that may be duplicates."""
COLUMNS = np.dtype([("key", "<u8"), ("time", "<i8"), ("rank", "<u4"), ("start", "<u8")])
"""`rank`: among its author's posts, by key; `start`: of its word pairs in the run's."""
KINDS = ("exact", "near")


class Clean(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A cleaned post that waits for its thread and for the verdict on duplicates."""

    row: int
    key: int
    id: str
    author: str
    handle: str
    received_us: int
    lang: str
    text: str
    thread: int
    parent: int
    is_short: bool
    """Kept in company only."""
    former_ids: tuple[str, ...] = ()


class RunReport(msgspec.Struct):
    """What became of the posts of one run."""

    num_rows: int
    dropped: dict[str, int]
    activity: dict[int, int]
    """How many authors have how many cleaned posts."""
    bounds: dict[str, list[list[int]]]
    """Where each bucket of the entries begins, by kind, for each part of the run."""


class Run:
    """The files of one run of a build."""

    def __init__(self, work: Path, number: int) -> None:
        self._stem = work / f"run-{number:04}"
        self.number = number

    @property
    def is_done(self) -> bool:
        """Whether all its files are there."""
        return self.path("json").exists()

    def path(self, suffix: str) -> Path:
        """Name one of its files."""
        return self._stem.with_suffix(f".{suffix}")

    @cached_property
    def report(self) -> RunReport:
        """What its process found."""
        return msgspec.json.decode(self.path("json").read_bytes(), type=RunReport)

    @cached_property
    def posts(self) -> SpillReader[Clean]:
        """Its posts by bucket of their threads."""
        return SpillReader(self.path("spill"), Clean)

    def entries(self, kind: str, buckets: range) -> NDArray[np.void]:
        """Read neighbouring buckets of posts that may be duplicates."""
        spans = [(bounds[buckets.start], bounds[buckets.stop]) for bounds in self.report.bounds[kind]]
        path, size = self.path(kind), ENTRY.itemsize
        return np.concatenate(
            [np.fromfile(path, ENTRY, end - start, offset=start * size) for start, end in spans]
        )

    @cached_property
    def columns(self) -> NDArray[np.void]:
        """The columns, mapped; they end with one row more."""
        return np.memmap(self.path("columns"), COLUMNS, "r")

    @cached_property
    def _pairs(self) -> NDArray[np.uint32]:
        return np.memmap(self.path("pairs"), np.uint32, "r")

    def pairs(self, rows: NDArray[np.int64]) -> Pairs:
        """Read the word pairs of some rows."""
        start = self.columns["start"]
        begin, end = start[rows].astype(np.int64), start[rows + 1].astype(np.int64)
        counts = end - begin
        ends = np.cumsum(counts)
        at = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts - begin, counts)
        return Pairs(np.asarray(self._pairs[at]), np.concatenate(([0], ends)))
