"""Reads a source into the archive: each batch and its cursor become durable together, before the next."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from hubbub.errors import PlatformError
from hubbub.stream.archive import Archive
from hubbub.stream.counts import Counts
from hubbub.stream.repeats import Repeats
from hubbub.stream.report import Reporter
from hubbub.stream.source import Batch, Source
from hubbub.units import now_us


def follow(
    source: Source,
    archive: Archive,
    *,
    batch: int = 256,
    on_progress: Callable[[Counts], None] | None = None,
    stop: threading.Event | None = None,
    counts: Counts | None = None,
) -> Counts:
    """Append everything a source yields, from where it was left, until it ends or `stop` is set.

    Nothing is buffered between the source and the archive: a slow disk slows the source, memory stays flat.

    Raises:
        StorageError: the disk refused; what was appended before is kept, and a later call resumes behind it.
    """
    counts = counts if counts is not None else Counts()
    stop = stop or threading.Event()
    repeats = Repeats(archive)
    reporter = Reporter(archive.directory, source.name, counts)
    connection = 0
    try:
        for part in source.batches(archive.cursor(source.name), size=batch, counts=counts, stop=stop):
            if counts.vitals.num_connections != connection:
                connection = counts.vitals.num_connections
                repeats.begin()
            _append(source.name, part, archive, repeats, counts)
            reporter.tick(archive.cursor(source.name))
            if on_progress:
                on_progress(counts)
            if stop.is_set():
                break
    finally:
        reporter.end(archive.cursor(source.name))
    archive.flush()
    return counts


def _append(name: str, part: Batch, archive: Archive, repeats: Repeats, counts: Counts) -> None:
    events = part.events
    if part.may_repeat:
        events = repeats.leave_out(events)
        counts.num_duplicates += len(part.events) - len(events)
        counts.num_events -= len(part.events) - len(events)
    else:
        repeats.note(events)
    cursors = {} if part.cursor is None else {name: part.cursor}
    if events or cursors:
        archive.append(events, cursors)
    if part.received_us is not None:
        counts.vitals.own_lag_ms = (now_us() - part.received_us) / 1000


def refusal_of(counts: Iterable[Counts]) -> PlatformError | None:
    """Return why nothing is left to follow: every source has ended or been refused, one of them refused."""
    vitals = [count.vitals for count in counts]
    reasons = [one.refused for one in vitals if one.is_shut_out and one.refused]
    if not reasons or any(one.state != "ended" and not one.is_shut_out for one in vitals):
        return None
    return PlatformError("; ".join(reasons))
