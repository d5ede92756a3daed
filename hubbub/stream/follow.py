"""Reads a source into the archive: each batch and its cursor become durable together, before the next."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hubbub.stream.archive import Archive
from hubbub.stream.counts import Counts
from hubbub.stream.source import Source


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

    Raises:
        StorageError: the disk refused; what was appended before is kept, and a later call resumes behind it.
    """
    counts = counts if counts is not None else Counts()
    stop = stop or threading.Event()
    for part in source.batches(archive.cursor(source.name), size=batch, counts=counts, stop=stop):
        cursors = {} if part.cursor is None else {source.name: part.cursor}
        if part.events or cursors:
            archive.append(part.events, cursors)
        if on_progress:
            on_progress(counts)
        if stop.is_set():
            break
    archive.flush()
    return counts
