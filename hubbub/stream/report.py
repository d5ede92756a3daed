"""What a source's figures look like to other processes: one small file each, replaced once a second."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hubbub.posts import Cursor
from hubbub.stream.counts import Counts
from hubbub.units import US_PER_S, now_us

EVERY_S = 1.0
STALE_S = 10.0
"""A follower that has not reported for so long was killed, or hangs."""
_DIRECTORY = "sources"


class SourceReport(msgspec.Struct, frozen=True, kw_only=True):
    """One source as its follower saw it last."""

    name: str
    updated_us: int
    pid: int
    """The process that follows it."""
    is_followed: bool
    """False once its follower has left in order; one that was killed just stops updating."""
    cursor: Cursor | None
    counts: Counts

    def state(self, now_us: int) -> str:
        """Tell how the source is doing: what its follower said last, or `lost` if that was too long ago."""
        is_fresh = now_us - self.updated_us < STALE_S * US_PER_S
        return self.counts.vitals.state if is_fresh or not self.is_followed else "lost"


class Reporter:
    """Writes the report of one source; a disk that refuses is the archive's to complain about."""

    def __init__(self, archive: Path, name: str, counts: Counts) -> None:
        digest = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
        self._path = archive / _DIRECTORY / f"{digest}.json"
        self._name, self._counts = name, counts
        self._next_s = 0.0

    def tick(self, cursor: Cursor | None) -> None:
        """Write, if the last time was long enough ago."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + EVERY_S
            self._write(cursor, is_followed=True)

    def end(self, cursor: Cursor | None) -> None:
        """Write the last figures; of a source that was refused they say so."""
        if self._counts.vitals.state != "refused":
            self._counts.vitals.enter("ended", now_us())
        self._write(cursor, is_followed=False)

    def _write(self, cursor: Cursor | None, *, is_followed: bool) -> None:
        report = SourceReport(
            name=self._name,
            updated_us=now_us(),
            pid=os.getpid(),
            is_followed=is_followed,
            cursor=cursor,
            counts=self._counts,
        )
        temporary = self._path.with_suffix(".tmp")
        try:
            self._path.parent.mkdir(exist_ok=True)
            temporary.write_bytes(msgspec.json.encode(report))
            temporary.replace(self._path)
        except OSError:
            pass


def read_reports(archive: Path) -> Iterator[SourceReport]:
    """Yield the reports that lie beside an archive, by name; one that cannot be read is left out."""
    reports = []
    for path in (archive / _DIRECTORY).glob("*.json"):
        try:
            reports.append(msgspec.json.decode(path.read_bytes(), type=SourceReport))
        except (OSError, msgspec.DecodeError):
            continue
    yield from sorted(reports, key=lambda report: report.name)
